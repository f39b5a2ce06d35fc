"""Whose order is paid and returned, and how it stands: what is not theirs, or not to be done (any more), is refused."""

import datetime

import pytest
from django.utils import timezone

from english_app import returns
from payments.closing import operations as closing
from payments.models import Charge, Order
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.english_app import world as english
from tests.english_app.calls import data
from tests.english_app.refusing import CALLERS, World, refused

pytestmark = pytest.mark.django_db(transaction=True)


class Bought(World):
    """A purchase of each kind that may not be paid, or not be returned."""

    def number(self, kind):
        return getattr(self, f"_{kind}")()

    def _init(self, **fields):
        return english.init(client=self.client, goods={self.card: 1}, **fields)

    def _waiting(self):
        return self._init().purchase.number

    def _recharge(self):
        return self._init(money_fen=990).recharge.number

    def _closed(self):
        order = self._init().purchase
        closing.close(order_id=order.pk, actor="test", at=timezone.now())
        return order.number

    def _bought(self, **fields):
        return english.buy(client=self.client, goods={self.card: 1}, **fields).order

    def _partly_refunded(self):
        order = self._bought()
        self._refund(order, 100)
        return order.number

    def _refunded(self):
        order = self._bought()
        self._refund(order, 990)
        return order.number

    def _refund(self, order, fen):
        command = RefundCommand(goods_fen=fen, refund_no="r1", reason="test")
        refunds.refund(order_id=order.pk, command=command, actor="test", at=timezone.now())

    def _neighbours(self):
        return self._bought(user_id="neighbour").number

    def _rivals(self):
        english.make_alipay(client=self.rival)
        return english.buy(client=self.rival, goods={self.their_good: 1}, user_id="stranger").order.number

    def _expired(self):
        order = self._init().purchase
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
        return order.number

    def _too_dear(self):
        return english.init(client=self.client, goods={self.month: 1}, money_fen=1_900).purchase.number

    def _long_ago(self):
        at = timezone.now() - datetime.timedelta(days=7, seconds=1)
        return self._bought(at=at).number

    def _refused_twice(self):
        order = self._bought()
        for _time in range(2):
            returns.ask(order_id=order.pk, actor="test", at=timezone.now())
            returns.refuse(order_id=order.pk, actor="test", at=timezone.now(), reason="不")
        return order.number


@pytest.fixture(params=CALLERS)
def bought(request, db):
    return Bought(request.param)


UNPAYABLE = {
    "neighbours": (404, "order_unknown"), "rivals": (404, "order_unknown"), "recharge": (409, "order_is_recharge"),
    "closed": (409, "order_closed"), "partly_refunded": (409, "order_refunded"), "refunded": (409, "order_refunded"),
    "expired": (422, "order_expired"),
}  # fmt: skip
UNRETURNABLE = {
    "neighbours": (404, "order_unknown"), "rivals": (404, "order_unknown"),
    "recharge": (409, "recharge_not_returnable"), "waiting": (409, "order_not_paid"), "closed": (409, "order_not_paid"),
    "refunded": (409, "order_returned"), "long_ago": (409, "return_too_late"),
    "refused_twice": (409, "return_asked_too_often"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNPAYABLE)
def test_what_is_not_theirs_to_pay_is_refused(client, bought, kind):
    status, code = UNPAYABLE[kind]
    params = bought.proven(bought.params("pay", order_sn=bought.number(kind)))

    refused(client, bought, "pay", params, status=status, code=code, field="order_sn")


@pytest.mark.parametrize("kind", UNRETURNABLE)
def test_what_is_not_theirs_to_return_is_refused(client, bought, kind):
    status, code = UNRETURNABLE[kind]
    params = bought.proven(bought.params("cancel", order_sn=bought.number(kind)))

    refused(client, bought, "cancel", params, status=status, code=code, field="order_sn")


def test_what_the_balance_does_not_cover_is_not_paid_and_waits(client, bought):
    number = bought.number("too_dear")
    Charge.objects.update(status="closed", next_query_at=None)  # nobody is to be asked
    params = bought.proven(bought.params("pay", order_sn=number))

    sentence = refused(client, bought, "pay", params, status=422, code="balance_too_small", field="order_sn")

    assert "29.00" in sentence
    assert Order.objects.get(number=number).status == "unpaid"


def test_a_frozen_customer_pays_nothing_and_may_still_ask_for_a_return(client, bought):
    waiting, paid = bought.number("waiting"), bought._bought(user_id="neighbour")
    type(bought.customer).objects.update(is_frozen=True)
    params = bought.proven(bought.params("pay", order_sn=waiting))

    refused(client, bought, "pay", params, status=422, code="customer_frozen", field="user_id")
    asked = bought.proven({"user_id": "neighbour", "order_sn": paid.number})
    assert data(client, "cancel", asked, **bought.how()) == {}


@pytest.mark.parametrize("name", ["pay", "cancel"])
def test_control_done_twice_is_done_once(client, bought, name):
    number = bought.number("waiting") if name == "pay" else bought._bought().number
    params = bought.proven(bought.params(name, order_sn=number))

    first = data(client, name, params, **bought.how())
    once = english.document(Order.objects.get(number=number))
    assert data(client, name, params, **bought.how()) == first == {}

    again = english.document(Order.objects.get(number=number))
    assert (again.order.status, again.returning, again.return_asks) == (
        once.order.status, once.returning, once.return_asks,
    )  # fmt: skip
    assert Order.objects.get(number=number).status == "pay_finished"
