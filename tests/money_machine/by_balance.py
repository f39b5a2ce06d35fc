"""Orders that the customer's balance pays: with the order, or by a call of its own."""

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from payments.charges.operations import OrderExpired, OrderNotPayable
from payments.ledger.accounts import Kind
from payments.ledger.operations import NotEnough
from payments.models import Account, Order
from payments.transactions import savepoint
from tests.money_machine.shop import Shop
from tests.world import owe_from_balance, pay_from_balance, place_by_balance


class ByBalance(Shop):
    @rule(total_fen=st.integers(1, 2_000), shipping_fen=st.integers(0, 500))
    def buy_by_balance(self, total_fen, shipping_fen):
        before = (self._held(Kind.BALANCE), Order.objects.count())
        try:
            with savepoint():
                place_by_balance(
                    customer=self.customer, number=f"B{before[1]}", total_fen=total_fen,
                    shipping_fen=min(shipping_fen, total_fen),
                )  # fmt: skip
        except NotEnough:
            assert total_fen > before[0]
            assert (self._held(Kind.BALANCE), Order.objects.count()) == before

    @rule(total_fen=st.integers(1, 2_000), shipping_fen=st.integers(0, 500))
    def order_to_pay_later(self, total_fen, shipping_fen):
        held_fen = self._held(Kind.BALANCE)
        owe_from_balance(
            customer=self.customer, number=f"B{Order.objects.count()}", total_fen=total_fen,
            shipping_fen=min(shipping_fen, total_fen),
        )  # fmt: skip
        assert self._held(Kind.BALANCE) == held_fen

    @precondition(lambda self: self._owed())
    @rule(data=st.data())
    def pay_later(self, data):
        order = data.draw(st.sampled_from(self._owed()))
        held_fen, paid_fen, at = self._held(Kind.BALANCE), 0, timezone.now()
        try:
            paid_fen = pay_from_balance(order, at=at).amount_fen
        except NotEnough:
            assert order.total_fen > held_fen
        except OrderNotPayable:
            assert order.status != "unpaid"
        except OrderExpired:
            assert order.expires_at <= at
        else:
            assert (order.status, paid_fen) == ("unpaid", order.total_fen)
        assert self._held(Kind.BALANCE) == held_fen - paid_fen

    def _owed(self):
        return list(Order.objects.filter(balance_fen__gt=0).order_by("pk"))

    def _held(self, kind):
        return Account.objects.get(customer=self.customer, kind=kind).balance_fen
