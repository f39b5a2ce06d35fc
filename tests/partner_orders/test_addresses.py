"""A customer's addresses: at most so many, at most one default, and never anybody else's."""

from collections import Counter

import pytest
from django.db import IntegrityError, transaction

from partner_orders import addresses
from partner_orders.addresses import ADDRESSES_MAX, Recipient, TooManyAddresses
from partner_orders.models import Address
from partner_orders.queries import AddressUnknown
from payments.models import AuditRow
from tests.partner_orders.dealings import now_of
from tests.partner_orders.world import NOW, buy, make_address, make_partner
from tests.threads import at_once, insist, meeting

pytestmark = pytest.mark.django_db
HOME = Recipient(name="刘德华", phone="18578229023", address="湖南省长沙市")
OFFICE = Recipient(name="张学友", phone="18569557087", address="湖南省株洲市", is_default=True)


def add(customer, recipient=HOME):
    return addresses.add(customer_id=customer.pk, recipient=recipient, actor="client:shop")


def change(customer, address, recipient):
    return addresses.change(
        customer_id=customer.pk, address_id=address.pk, recipient=recipient, actor="client:shop"
    )  # fmt: skip


def delete(customer, address):
    addresses.delete(customer_id=customer.pk, address_id=address.pk, actor="client:shop")


def kept(customer):
    rows = Address.objects.filter(customer=customer).order_by("pk")
    return list(rows.values_list("name", "phone", "address", "is_default"))


def told(recipient, *, is_default):
    return recipient.name, recipient.phone, recipient.address, is_default


def test_an_address_is_added_changed_and_deleted(customer):
    address = add(customer)
    assert kept(customer) == [told(HOME, is_default=False)]

    change(customer, address, OFFICE)
    assert kept(customer) == [told(OFFICE, is_default=True)]

    delete(customer, address)
    assert kept(customer) == []


def test_every_change_is_audited_without_what_the_address_says(customer):
    address = add(customer)
    change(customer, address, OFFICE)
    delete(customer, address)

    rows = AuditRow.objects.filter(action__startswith="address.").order_by("pk")
    assert list(rows.values_list("actor", "action", "subject", "detail")) == [
        ("client:shop", f"address.{deed}", f"customer:{customer.pk}", {"address": address.pk})
        for deed in ("add", "change", "delete")
    ]


def test_a_new_default_takes_the_place_of_the_old(customer):
    add(customer, OFFICE)
    second = add(customer, OFFICE)
    third = add(customer)
    assert [row[3] for row in kept(customer)] == [False, True, False]

    change(customer, third, OFFICE)
    assert [row[3] for row in kept(customer)] == [False, False, True]

    change(customer, third, OFFICE)  # the same again
    assert [row[3] for row in kept(customer)] == [False, False, True]

    change(customer, third, HOME)
    assert [row[3] for row in kept(customer)] == [False, False, False]
    assert second.is_default


def test_the_default_of_another_customer_stays(client_, customer):
    other = make_partner(client=client_, user_id="other")
    add(other, OFFICE)

    add(customer, OFFICE)

    assert kept(other) == [told(OFFICE, is_default=True)]


@pytest.mark.parametrize("verb", [lambda customer, address: change(customer, address, OFFICE), delete])
def test_an_address_of_somebody_else_is_neither_changed_nor_deleted(client_, customer, verb):
    other = make_partner(client=client_, user_id="other")
    address = add(other)

    with pytest.raises(AddressUnknown) as refused:
        verb(customer, address)

    assert (refused.value.status, refused.value.field) == (404, "address_id")
    assert kept(other) == [told(HOME, is_default=False)]


def test_a_customer_has_as_many_as_they_may_and_no_more(customer):
    Address.objects.bulk_create(Address(customer=customer, name="x", phone="1", address="x") for _n in range(49))
    add(customer)

    with pytest.raises(TooManyAddresses):
        add(customer)

    assert len(kept(customer)) == ADDRESSES_MAX == 50


def test_an_order_keeps_where_it_went_whatever_becomes_of_the_address(pack, customer):
    address = make_address(customer=customer)
    document = buy(pack=pack, address=address, at=NOW)

    change(customer, address, OFFICE)
    delete(customer, address)

    document = now_of(document)
    assert (document.receive_name, document.receive_phone, document.receive_address) == (
        "刘德华", "18578229023", "湖南省长沙市德思勤城市广场b5栋",
    )  # fmt: skip


# --- many at once


@pytest.mark.django_db(transaction=True)
def test_twenty_defaults_at_once_are_one_default(customer):
    at_once(20, lambda _n: insist(lambda: add(customer, OFFICE)))

    assert Counter(row[3] for row in kept(customer)) == {True: 1, False: 19}


@pytest.mark.django_db(transaction=True)
def test_at_once_there_are_never_more_than_may_be(customer):
    Address.objects.bulk_create(Address(customer=customer, name="x", phone="1", address="x") for _n in range(45))

    outcomes = at_once(20, lambda _n: insist(lambda: add(customer)))

    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Address": 5, "TooManyAddresses": 15}
    assert len(kept(customer)) == ADDRESSES_MAX


@pytest.mark.django_db(transaction=True)
def test_control_without_the_customer_s_lock_there_are_more_and_only_the_database_keeps_one_default(
    customer, monkeypatch
):
    Address.objects.bulk_create(Address(customer=customer, name="x", phone="1", address="x") for _n in range(49))
    monkeypatch.setattr(addresses, "_lock", lambda **_of: None)
    monkeypatch.setattr(addresses, "ADDRESSES_MAX", CountedTogether(50, meeting(4)))

    outcomes = at_once(4, lambda n: add(customer, OFFICE if n < 2 else HOME))

    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Address": 3, "IntegrityError": 1}
    assert len(kept(customer)) == 52


class CountedTogether(int):
    """A limit that is compared with when all have counted."""

    def __new__(cls, limit, meet):
        made = super().__new__(cls, limit)
        made.meet = meet
        return made

    def __le__(self, count):
        self.meet()
        return int(self) <= count


def test_the_database_keeps_one_default(customer):
    add(customer, OFFICE)

    with pytest.raises(IntegrityError, match="address_one_default"), transaction.atomic():
        make_address(customer=customer, is_default=True)
