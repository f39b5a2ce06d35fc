"""Statements of the back-office are planned for the value that is asked for; those of calls are prepared."""

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from payments.models import Order

pytestmark = pytest.mark.django_db

TIMES = 8
FLAGGED = reverse("admin:payments_order_changelist") + "?money_flag__exact=overpaid"
WITHOUT = [name for name in settings.MIDDLEWARE if name != "config.planning.PlannedByValue"]


def prepared():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%money_flag\" = $%'")
        return cursor.fetchone()[0]


def look_at_the_queue():
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss"))
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    connection.connection._prepared.clear()
    for _n in range(TIMES):
        assert client.get(FLAGGED).status_code == 200


def test_a_queue_is_planned_anew_each_time_it_is_looked_at():
    look_at_the_queue()

    assert prepared() == 0


@override_settings(MIDDLEWARE=WITHOUT)
def test_the_control_without_that_it_is_prepared_for_any_flag():
    look_at_the_queue()

    assert prepared() == 1


def test_what_is_asked_after_a_page_is_prepared_as_before():
    look_at_the_queue()
    for _n in range(TIMES):
        list(Order.objects.filter(money_flag="overpaid"))

    assert prepared() == 1
