"""
Any sequence of buying, paying, cancelling, refunding, shipping and waiting keeps the partner programme straight.

After each step every invariant holds, and stock, coupons, balances, points, levels and suspense are what a model of
plain sums says. Alipay is played by the machine: its pages are signed here, and what it tells is settled here.
"""

import datetime
import itertools
import os

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from partner_orders import operations, shipping, stock
from partner_orders.models import PayType
from partner_orders.operations import BalanceTooSmall
from partner_orders.pricing import CouponExpired, CouponTooLarge, CouponUsed
from partner_orders.queries import CouponUnknown
from partner_orders.shipping import OrderNotReceivable, OrderNotShippable, Shipment
from partner_orders.stock import PackSoldOut
from payments.charges import operations as charges
from payments.charges import settlement
from payments.charges.placement import NumberReused
from payments.charges.states import BOOKED, OPEN
from payments.closing import late_money
from payments.closing import operations as closing
from payments.gateways.base import Outcome, PaymentState
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Charge
from payments.refunds.operations import OrderNotRefundable
from payments.refunds.planner import RefundExceeds
from tests.money_machine.partner_order import Bought
from tests.partner_orders.dealings import broken, end_attempts, gateway_refunds, is_used, level_of, now_of, refund
from tests.partner_orders.world import (
    balance_fen,
    command,
    in_stock,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
    make_partner_client,
)
from tests.world import points_fen

# What continuous integration has time for; more before a release.
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "10"))
BALANCE_FEN = 100_000
OFF_FEN = 5_000
PACKS = ((30_000, 3, 120), (20_000, 2, 7), (5_000, 0, 0))  # price, rank of the level, score
PIECES = 3
REPLAY = datetime.timedelta(seconds=120)
PAYABLE = charges.GATEWAY_MARGIN + charges.GATEWAY_MINIMUM
MINUTE = datetime.timedelta(minutes=1)


class PartnerMachine(RuleBasedStateMachine):
    @initialize(poor=st.booleans())
    def open(self, poor):
        # Every example starts from an empty database; like the test's own transaction, this one is nobody's business.
        self.example = transaction.atomic()
        self.example._from_testcase = True
        self.example.__enter__()
        make_alipay()
        self.client, self.at, self.keys = make_partner_client(), timezone.now(), itertools.count()
        self.ladder = [None, *(make_level(client=self.client, code=f"V{rank}", rank=rank) for rank in (1, 2, 3))]
        self.packs = [
            make_pack(
                client=self.client, pieces=PIECES, uid=f"{n}" * 32, price_fen=price_fen, level=self.ladder[rank],
                score=score,
            )
            for n, (price_fen, rank, score) in enumerate(PACKS)
        ]  # fmt: skip
        funds_fen = [BALANCE_FEN, 25_000 if poor else BALANCE_FEN]
        self.customers = [
            make_partner(client=self.client, user_id=f"u{n}", balance_fen=fen) for n, fen in enumerate(funds_fen)
        ]
        self.addresses = [make_address(customer=customer) for customer in self.customers]
        self.valid_until = timezone.localdate(self.at) + datetime.timedelta(days=20)
        self.coupons = [
            make_coupon(customer=self.customers[n % 2], off_fen=OFF_FEN, valid_until=self.valid_until)
            for n in range(3)
        ]  # fmt: skip
        self.orders = []
        self.stock, self.balances, self.points = [PIECES] * len(PACKS), funds_fen, [0, 0]
        self.suspense_fen = 0

    @property
    def is_open(self):
        return hasattr(self, "client")

    # --- buying -------------------------------------------------------------------------------------------------------

    @rule(
        customer=st.integers(0, 1),
        pack=st.integers(0, len(PACKS) - 1),
        coupon=st.sampled_from([None, None, 0, 1, 2]),
        pay_type=st.sampled_from(list(PayType)),
        keyed=st.booleans(),
    )
    def buy(self, customer, pack, coupon, pay_type, keyed):
        asked = (customer, pack, coupon, pay_type)
        known = None if keyed else self._repeated(asked)
        refusal = None if known else self._refusal(asked)
        key = f"k{next(self.keys)}" if keyed else ""
        if refusal is not None:
            with pytest.raises(refusal):
                self._call(asked, key=key)
            return
        bought = self._call(asked, key=key)
        if known is not None:
            assert bought.document == known.document
            return
        document = now_of(bought.document)
        made = Bought(
            document=document, asked=asked, key=document.order.client_order_no, made_at=self.at,
            expires_at=document.order.expires_at, total_fen=self._price_fen(asked), status="unpaid",
        )  # fmt: skip
        assert bool(bought.pay_url) is not made.by_balance
        self.orders.append(made)
        self.stock[pack] -= 1
        if made.by_balance:
            self.balances[customer] -= made.total_fen
            self._paid(made)

    def _call(self, asked, *, key):
        customer, pack, coupon, pay_type = asked
        said = command(
            pack=self.packs[pack], address=self.addresses[customer], pay_type=pay_type, key=key,
            coupon=None if coupon is None else self.coupons[coupon],
        )  # fmt: skip
        return operations.pay(client=self.client, command=said, at=self.at)

    def _price_fen(self, asked):
        return PACKS[asked[1]][0] - (0 if asked[2] is None else OFF_FEN)

    def _repeated(self, asked):
        """The order that a call without a key finds."""
        found = [
            made
            for made in self.orders
            if made.asked == asked
            and made.status != "closed"
            and (
                made.made_at > self.at - REPLAY
                or (made.status == "unpaid" and made.expires_at > self.at + PAYABLE)
            )
        ]  # fmt: skip
        return found[-1] if found else None

    def _refusal(self, asked):
        """What the call is refused for: the first of these that is so."""
        customer, pack, coupon, pay_type = asked
        has_coupon = coupon is not None
        reasons = {
            PackSoldOut: not self.stock[pack],
            CouponUnknown: has_coupon and self.coupons[coupon].customer != self.customers[customer],
            CouponUsed: has_coupon and bool(self._holder(coupon)),
            CouponExpired: has_coupon and timezone.localdate(self.at) > self.valid_until,
            CouponTooLarge: has_coupon and PACKS[pack][0] <= OFF_FEN,
            BalanceTooSmall: pay_type == PayType.BALANCE and self.balances[customer] < self._price_fen(asked),
        }
        return next((error for error, is_so in reasons.items() if is_so), None)

    def _holder(self, coupon):
        return [made for made in self.orders if made.coupon == coupon and made.holds]

    @precondition(lambda self: any(made.key for made in self.orders))
    @rule(data=st.data(), other=st.booleans())
    def replay(self, data, other):
        made = data.draw(st.sampled_from([made for made in self.orders if made.key]))
        customer, pack, coupon, pay_type = made.asked
        asked = (customer, (pack + 1) % len(PACKS), coupon, pay_type) if other else made.asked
        try:
            bought = self._call(asked, key=made.key)
        except NumberReused:
            assert other
        else:
            assert not other
            assert bought.document == made.document

    # --- paying -------------------------------------------------------------------------------------------------------

    def _paid(self, made):
        made.status = "pay_finished"
        self.points[made.customer] += PACKS[made.pack][2]

    @precondition(lambda self: self._payable())
    @rule(data=st.data())
    def money_comes(self, data):
        """Whatever became of the order meanwhile; of what is not needed the money stands in suspense."""
        made, charge = data.draw(st.sampled_from(self._payable()))
        state = PaymentState(
            outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=f"a{charge.pk}"
        )
        for _delivery in range(2):
            settlement.settle(charge_id=charge.pk, state=state, at=self.at)
        if made.status == "unpaid":
            self._paid(made)
        else:
            self.suspense_fen += made.total_fen

    def _payable(self):
        return [
            (made, charge)
            for made in self.orders
            for charge in Charge.objects.filter(order=made.document.order_id).exclude(status__in=BOOKED)
        ]

    @rule()
    def late_money_goes_back(self):
        late_money.refund_due(at=self.at)
        gateway_refunds()
        self.suspense_fen = 0

    # --- ending -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), gateway_answers=st.booleans())
    def cancel(self, data, gateway_answers):
        made = data.draw(st.sampled_from(self.orders))
        if gateway_answers:
            end_attempts(made.document)
        is_open = Charge.objects.filter(order=made.document.order_id, status__in=OPEN).exists()
        try:
            operations.cancel(
                client=self.client, user_id=self.customers[made.customer].user_id, number=made.document.order.number,
                at=self.at,
            )  # fmt: skip
        except closing.OrderNotClosable:
            assert made.status not in {"unpaid", "closed"}
        except closing.GatewayUnanswered:
            assert is_open
        else:
            assert not is_open
            self._closed(made)

    def _closed(self, made):
        if made.status == "unpaid":
            self.stock[made.pack] += 1
        made.status = "closed"

    @rule(minutes=st.sampled_from([1, 3, 40, 16 * 24 * 60]))
    def time_passes(self, minutes):
        self.at += minutes * MINUTE

    @rule()
    def close_what_is_due(self):
        """The sweep has ended the attempts of what is past its time."""
        due = [made for made in self.orders if made.status == "unpaid" and made.expires_at <= self.at]
        for made in due:
            end_attempts(made.document)
        assert closing.close_due(at=self.at) == len(due)
        for made in due:
            self._closed(made)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), part=st.integers(1, 30_000), all_of_it=st.booleans())
    def give_back(self, data, part, all_of_it):
        made = data.draw(st.sampled_from(self.orders))
        left_fen = made.total_fen - made.refunded_fen
        fen = left_fen if all_of_it and left_fen else part
        try:
            refund(made.document, fen, at=self.at)
        except OrderNotRefundable:
            assert not made.is_paid
            return
        except RefundExceeds:
            assert fen > left_fen
            return
        assert made.is_paid
        gateway_refunds()
        made.refunded_fen += fen
        made.status = "partly_refund" if made.refunded_fen < made.total_fen else "total_refund"
        if made.by_balance:
            self.balances[made.customer] += fen
        due_fen = PACKS[made.pack][2] * made.refunded_fen // made.total_fen - made.taken_fen
        taken_fen = min(due_fen, self.points[made.customer])
        made.taken_fen += taken_fen
        self.points[made.customer] -= taken_fen
        if not made.holds:
            self.stock[made.pack] += 1

    # --- delivering ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def ship(self, data):
        made = data.draw(st.sampled_from(self.orders))
        shipment = Shipment(name="SF", number=f"{len(self.orders)}", at=self.at)
        try:
            shipping.ship(order_id=made.document.order_id, shipment=shipment, actor="test", at=self.at)
        except OrderNotShippable:
            assert not made.is_paid or made.delivery == "received"
        else:
            assert made.is_paid
            assert made.delivery != "received"
            made.delivery = "shipped"

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def receive(self, data):
        made = data.draw(st.sampled_from(self.orders))
        try:
            shipping.receive(order_id=made.document.order_id, actor="test", at=self.at)
        except OrderNotReceivable:
            assert made.delivery == "waiting" or (made.delivery == "shipped" and not made.is_paid)
        else:
            made.delivery = "received"

    @rule()
    def receive_what_is_due(self):
        for made in self.orders:
            shipped_at = now_of(made.document).shipped_at
            if made.delivery == "shipped" and made.is_paid and shipped_at <= self.at - datetime.timedelta(days=15):
                made.delivery = "received"
        shipping.receive_due(at=self.at)

    @rule(pack=st.integers(0, len(PACKS) - 1), pieces=st.integers(1, 2))
    def put_in(self, pack, pieces):
        stock.put_in(pack_id=self.packs[pack].pk, pieces=pieces, actor="test")
        self.stock[pack] += pieces

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def no_invariant_is_broken(self):
        if self.is_open:
            assert broken() == {}

    @invariant()
    def everything_is_what_the_model_says(self):
        if not self.is_open:
            return
        assert [in_stock(pack) for pack in self.packs] == self.stock
        assert [is_used(coupon) for coupon in self.coupons] == [
            bool(self._holder(n)) for n in range(len(self.coupons))
        ]  # fmt: skip
        assert [balance_fen(customer) for customer in self.customers] == self.balances
        assert [points_fen(customer) for customer in self.customers] == self.points
        assert [level_of(customer) for customer in self.customers] == [self._level(n) for n in range(2)]
        documents = [now_of(made.document) for made in self.orders]
        assert [(document.order.status, document.delivery, document.holds) for document in documents] == [
            (made.status, made.delivery, made.holds) for made in self.orders
        ]
        kept_fen = sum(made.total_fen - made.refunded_fen for made in self.orders if made.is_paid)
        assert held_fen(code="sales") == kept_fen
        assert (held_fen(code="suspense"), held_fen(code="escrow")) == (self.suspense_fen, 0)

    def _level(self, customer):
        ranks = [PACKS[made.pack][1] for made in self.orders if made.customer == customer and made.is_paid]
        return f"V{max(ranks)}" if any(ranks) else ""

    def teardown(self):
        if self.is_open:
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)


class TestPartnerMachine(TestCase, PartnerMachine.TestCase):
    settings = settings(
        max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
