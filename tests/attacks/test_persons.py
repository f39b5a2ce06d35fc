"""Who may not see persons learns no name where it is not looked for: in titles, on forms, in addresses, of files."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from english_app.models import EnglishOrder
from partner_orders.models import Address
from payments.models import Appointment, HandConfirmation, InboundNotification
from tests.attacks.test_admin import book, page  # noqa: F401  book is a fixture
from tests.world import make_staff

pytestmark = pytest.mark.django_db


def browser(role):
    user = make_staff(role)
    user.groups.add(Group.objects.get(name=role))
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


@pytest.mark.parametrize("name", ["change", "history"])
@pytest.mark.parametrize(("model", "fields"), [(Address, ("name", "address")), (Appointment, ("appointment_for",))])
def test_no_title_tells_who_it_is(book, model, fields, name):  # noqa: F811
    row = model.objects.first()

    shown = browser("look-up").get(page(model, name, row.pk))

    assert shown.status_code == 200
    assert [field for field in fields if getattr(row, field) in shown.content.decode()] == []


@pytest.mark.parametrize("name", ["approve", "refuse"])
def test_who_decides_on_a_return_is_not_told_whose_it_is(book, name):  # noqa: F811
    document = EnglishOrder.objects.exclude(user_name="").first()

    shown = browser("approve").get(page(EnglishOrder, name, document.pk))

    assert shown.status_code == 200
    assert document.user_name not in shown.content.decode()


def test_the_name_of_a_file_is_told_with_the_file_alone(book):  # noqa: F811
    row = HandConfirmation.objects.first()

    shown = browser("look-up").get(page(HandConfirmation, "change", row.pk))

    assert shown.status_code == 200
    assert row.evidence_name not in shown.content.decode()


@pytest.mark.parametrize(("model", "field"), [(InboundNotification, "body"), (HandConfirmation, "evidence")])
def test_what_is_hidden_is_not_guessed_byte_by_byte(book, model, field):  # noqa: F811
    """PostgreSQL compares bytes as hexadecimal text, so that a list tells whether a row has them."""
    told = bytes(getattr(model.objects.first(), field))[:4].hex()
    path = reverse(f"admin:payments_{model._meta.model_name}_changelist")

    assert browser("look-up").get(f"{path}?{field}__contains={told}").status_code == 400
