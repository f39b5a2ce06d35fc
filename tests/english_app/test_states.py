"""Three axes and the one status that the wire knows; what moves each of them, and nothing else."""

import itertools

import pytest

from english_app.states import (
    DELIVERIES,
    NOT_RETURNING,
    PAID,
    RETURNING,
    RETURNS,
    Delivery,
    DeliveryEvent,
    Return,
    ReturnEvent,
    WireStatus,
    next_delivery,
    next_return,
    wire_status,
)
from payments.machine import IllegalTransition
from payments.orders.states import Status

WIRE = {  # of a paid order: (delivery, return) → status
    ("waiting", "none"): 2, ("failed", "none"): 3, ("delivered", "none"): 4,
    ("waiting", "asked"): 5, ("failed", "asked"): 5, ("delivered", "asked"): 5,
    ("waiting", "approved"): 5, ("failed", "approved"): 5, ("delivered", "approved"): 5,
    ("waiting", "failed"): 6, ("failed", "failed"): 6, ("delivered", "failed"): 6,
    ("waiting", "returned"): 7, ("failed", "returned"): 7, ("delivered", "returned"): 7,
}  # fmt: skip


@pytest.mark.parametrize("status", PAID)
@pytest.mark.parametrize(("delivery", "returning"), list(itertools.product(Delivery, Return)))
def test_of_a_paid_order_the_return_is_told_before_the_delivery(status, delivery, returning):
    assert wire_status(status=status, delivery=delivery, returning=returning) == WIRE[delivery, returning]


@pytest.mark.parametrize("returning", Return)
@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize(
    ("status", "told"), [("unpaid", 0), ("point_paid", 0), ("cash_paid", 0), ("closed", 1), ("total_refund", 7)]
)
def test_of_any_other_order_its_own_status_is_told(status, told, delivery, returning):
    assert wire_status(status=status, delivery=delivery, returning=returning) == told


def test_every_status_of_an_order_is_told_and_every_status_of_the_document_is_some_order_s():
    told = {
        wire_status(status=status, delivery=delivery, returning=returning)
        for status, delivery, returning in itertools.product(Status, Delivery, Return)
    }

    assert told == set(WireStatus) == set(range(8))


@pytest.mark.parametrize(("source", "event"), list(itertools.product(Delivery, DeliveryEvent)))
def test_deliveries_move_as_their_table_says(source, event):
    if event in DELIVERIES[source]:
        assert next_delivery(delivery=source, event=event) == DELIVERIES[source][event]
    else:
        with pytest.raises(IllegalTransition):
            next_delivery(delivery=source, event=event)


@pytest.mark.parametrize(("source", "event"), list(itertools.product(Return, ReturnEvent)))
def test_returns_move_as_their_table_says(source, event):
    if event in RETURNS[source]:
        assert next_return(returning=source, event=event) == RETURNS[source][event]
    else:
        with pytest.raises(IllegalTransition):
            next_return(returning=source, event=event)


def test_what_is_delivered_or_returned_stays_so_and_whatever_else_can_become_so():
    assert (DELIVERIES[Delivery.DELIVERED], RETURNS[Return.RETURNED]) == ({}, {})
    assert all(Return.RETURNED in RETURNS[source].values() for source in Return if source != Return.RETURNED)


def test_a_return_is_going_on_is_not_or_is_over():
    assert {*RETURNING, *NOT_RETURNING, Return.RETURNED} == set(Return)
    assert len(RETURNING) + len(NOT_RETURNING) + 1 == len(Return)
