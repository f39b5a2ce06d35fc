"""The half of the English app's machine that sells: baskets, recharges, payments from the balance, time."""

import datetime

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from english_app.operations import BalanceTooSmall, MoneyTooLittle
from payments.charges import operations as charges
from payments.charges.operations import OrderExpired, OrderNotPayable
from payments.charges.states import BOOKED
from payments.closing import late_money
from payments.closing import operations as closing
from payments.models import ApiClient, Charge
from tests.english_app import world
from tests.english_app.dealings import end_attempts, gateway_refunds, pay
from tests.english_app.world import ITEM_FEN, MONTH_FEN
from tests.money_machine.english_order import Purchase, Recharge

BALANCE_FEN = 12_000
APPROVAL_ABOVE_FEN = 5_000
PAYABLE = charges.GATEWAY_MARGIN + charges.GATEWAY_MINIMUM
MINUTE = datetime.timedelta(minutes=1)
PRICES = {"month": MONTH_FEN, "card": ITEM_FEN}


class EnglishShop(RuleBasedStateMachine):
    @initialize()
    def open(self):
        # Every example starts from an empty database; like the test's own transaction, this one is nobody's business.
        self.example = transaction.atomic()
        self.example._from_testcase = True
        self.example.__enter__()
        self.client, self.at = world.make_english_client(), timezone.now()
        ApiClient.objects.filter(pk=self.client.pk).update(approval_above_fen=APPROVAL_ABOVE_FEN)
        world.make_alipay(client=self.client)
        self.learner = world.make_learner(client=self.client, balance_fen=BALANCE_FEN)
        self.goods = {"month": world.make_month(client=self.client), "card": world.make_item(client=self.client)}
        self.orders, self.balance_fen, self.suspense_fen = [], BALANCE_FEN, 0
        self.buy((("month", 2), ("card", 1)))

    def buy(self, nums):
        """One purchase stands from the start, so that few steps lead to its return; its refund needs two."""
        found = world.buy(client=self.client, goods={self.goods[name]: num for name, num in nums}, at=self.at)
        self.orders.append(
            Purchase(
                order=found.order, basket=(nums, 0), total_fen=found.order.total_fen, recharge=None,
                expires_at=found.order.expires_at, status="pay_finished", paid_at=self.at, delivery="delivered",
                granted_at=self.at,
            )
        )  # fmt: skip
        self.balance_fen -= found.order.total_fen

    @property
    def is_open(self):
        return hasattr(self, "client")

    def pick(self, data, orders=None):
        return data.draw(st.sampled_from(orders or self.orders))

    # --- buying -------------------------------------------------------------------------------------------------------

    @rule(
        months=st.integers(0, 2), cards=st.integers(0, 2), share=st.sampled_from(["nothing", "what lacks", "all"]),
        short=st.booleans(),
    )  # fmt: skip
    def init(self, months, cards, share, short):
        nums = {name: num for name, num in (("month", months), ("card", cards)) if num} or {"card": 1}
        total_fen = sum(PRICES[name] * num for name, num in nums.items())
        lacks_fen = max(0, total_fen - self.balance_fen)
        money_fen = {"nothing": 0, "what lacks": lacks_fen, "all": total_fen}[share]
        money_fen -= short and money_fen > 1
        basket = (tuple(nums.items()), money_fen)
        if money_fen < lacks_fen:
            with pytest.raises(MoneyTooLittle):
                self._init(basket)
            return
        known = self._repeated(basket)
        made = self._init(basket)
        if known is not None:
            assert made.purchase == known.order
            assert made.recharge == (known.recharge and known.recharge.order)
            return
        recharge = made.recharge and Recharge(
            order=made.recharge, total_fen=money_fen, expires_at=made.recharge.expires_at
        )  # fmt: skip
        self.orders.append(
            Purchase(
                order=made.purchase, basket=basket, total_fen=total_fen, recharge=recharge,
                expires_at=made.purchase.expires_at,
            )
        )  # fmt: skip

    def _init(self, basket):
        nums, money_fen = basket
        goods = {self.goods[name]: num for name, num in nums}
        return world.init(client=self.client, goods=goods, money_fen=money_fen, at=self.at)

    def _repeated(self, basket):
        """The purchase that the same call finds."""
        found = [
            made
            for made in self.orders
            if made.basket == basket
            and all(
                part is None or (part.status == "unpaid" and part.expires_at > self.at + PAYABLE)
                for part in (made, made.recharge)
            )
        ]  # fmt: skip
        return found[-1] if found else None

    @precondition(lambda self: self._payable())
    @rule(data=st.data(), other_fen=st.sampled_from([0, 0, 0, 1]))
    def money_comes(self, data, other_fen):
        """Told of twice, in time or late, in its amount or another; what is not needed stands in suspense."""
        recharge, charge = data.draw(st.sampled_from(self._payable()))
        for _told in range(2):
            world.settle(charge, at=self.at, paid_fen=charge.amount_fen + other_fen)
        if recharge.status == "unpaid" and not other_fen:
            recharge.status = "pay_finished"
            self.balance_fen += recharge.total_fen
        else:
            self.suspense_fen += recharge.total_fen + other_fen

    def _payable(self):
        recharges = [made.recharge for made in self.orders if made.recharge]
        return [
            (recharge, charge)
            for recharge in recharges
            for charge in Charge.objects.filter(order=recharge.order).exclude(status__in=BOOKED)
        ]

    @rule()
    def late_money_goes_back(self):
        late_money.refund_due(at=self.at)
        gateway_refunds()
        self.suspense_fen = 0

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def pay(self, data):
        made = self.pick(data)
        if made.recharge:  # Alipay has nothing to tell when it is asked
            end_attempts(made.recharge.order)
        try:
            pay(made.order, at=self.at)
        except OrderNotPayable:
            assert made.status in {"closed", "partly_refund", "total_refund"}
        except OrderExpired:
            assert made.status == "unpaid"
            assert self.at >= made.expires_at
        except BalanceTooSmall:
            assert made.status == "unpaid"
            assert self.balance_fen < made.total_fen
        else:
            assert made.status in {"unpaid", "pay_finished"}
            if made.status == "unpaid":
                made.status, made.paid_at, made.due_at = "pay_finished", self.at, self.at
                self.balance_fen -= made.total_fen

    # --- ending -------------------------------------------------------------------------------------------------------

    @rule()
    def close_what_is_due(self):
        """The sweep has ended the attempts of what is past its time."""
        parts = [part for made in self.orders for part in (made, made.recharge) if part]
        due = [part for part in parts if part.status == "unpaid" and part.expires_at <= self.at]
        for part in due:
            end_attempts(part.order)
        assert closing.close_due(at=self.at) == len(due)
        for part in due:
            part.status = "closed"

    @rule(minutes=st.sampled_from([1, 6, 31, 61, 24 * 60, 8 * 24 * 60]))
    def time_passes(self, minutes):
        self.at += minutes * MINUTE

    def teardown(self):
        if self.is_open:
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)
