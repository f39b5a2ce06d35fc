"""The roles of staff: groups that `migrate` makes, and keeps as the table says."""

from collections import Counter

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from config import roles
from config.roles import ROLES
from payments.admin.staff import ROLE_NAMES

pytestmark = pytest.mark.django_db


def held(role):
    return {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Group.objects.get(name=role).permissions.select_related("content_type")
    }


def migrated():
    last = list(apps.get_app_configs())[-1]
    roles.make_groups(sender=last, using="default")


@pytest.mark.parametrize("role", ROLES)
def test_migrating_makes_the_group_with_what_the_table_says(role):
    assert held(role) == set(ROLES[role])


def test_each_role_has_a_name_for_people():
    assert set(ROLE_NAMES) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_no_permission_is_named_twice_or_missing(role):
    there = {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}

    assert set(ROLES[role]) <= there
    assert max(Counter(ROLES[role]).values()) == 1


def test_migrating_again_sets_right_what_somebody_changed():
    group = Group.objects.get(name="look-up")
    group.permissions.add(Permission.objects.get(codename="approve_refund"))
    group.permissions.remove(Permission.objects.get(codename="view_order"))

    migrated()

    assert held("look-up") == set(ROLES["look-up"])


def test_migrating_again_makes_a_group_that_somebody_deleted():
    Group.objects.get(name="finance").delete()

    migrated()

    assert held("finance") == set(ROLES["finance"])


def test_migrating_again_writes_nothing_where_all_is_right(django_assert_num_queries):
    with django_assert_num_queries(1):
        migrated()


def test_nobody_looks_up_and_approves_what_they_ask_for_by_one_role():
    for permissions in ROLES.values():
        assert not {"payments.request_refund", "payments.approve_refund"} <= set(permissions)
