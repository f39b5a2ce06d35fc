"""
Any sequence of payments, refunds, closings, lost answers and what others do at the gateway keeps the books straight.

After each step every invariant holds, and every account holds what a model of plain sums says: what the customer may
spend, what is sold, in escrow, in suspense, kept for refunds, and what each gateway owes us. In the end the faults
stop, everything comes to rest, and the gateway's own book is ours.
"""

import datetime
import os

from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import initialize, invariant, precondition, rule

from payments import invariants
from payments.charges import operations as charges
from payments.charges.models import CASH
from payments.charges.states import OPEN
from payments.closing import late_money
from payments.closing import operations as closing
from payments.closing.operations import GatewayUnanswered, OrderNotClosable
from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.errors import OnetillError
from payments.gateways.base import Mode
from payments.gateways.memory import Fault
from payments.inbox import operations as inbox
from payments.ledger.accounts import Kind
from payments.ledger.operations import NotEnough
from payments.ledger.queries import balance_fen
from payments.models import Charge, InboundNotification, Order, Refund, RefundLeg, Transfer
from payments.orders.models import OrderKind
from payments.refunds import operations as refunds
from payments.refunds import queries, submission
from payments.refunds.operations import NothingToReturn, OrderNotRefundable, RefundCommand
from payments.refunds.planner import RefundExceeds
from payments.refunds.states import LEG_OPEN
from payments.transactions import transaction
from tests.money_machine import model
from tests.money_machine.by_balance import ByBalance
from tests.money_machine.model import BOOKED, FINISHED, WAITING
from tests.money_machine.shop import FAULTS, MODES
from tests.payments.refunds.shop import refund_at_console

# What continuous integration has time for; more before a release.
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "10"))
REFUND_FAULTS = FAULTS | st.just(Fault.REFUSED)
POLICIES = st.sampled_from([None, "cash_first", "points_first", "pro_rata"])


class RefundMachine(ByBalance):
    @initialize(
        points_fen=st.integers(0, 5_000),
        points_policy=st.sampled_from(["points_first", "points_last"]),
        refund_policy=st.sampled_from(["cash_first", "points_first", "pro_rata"]),
        limit_fen=st.sampled_from([None, 0, 1_500]),
    )
    def open_shop(self, points_fen, points_policy, refund_policy, limit_fen):
        policies = {"points_policy": points_policy, "refund_policy": refund_policy}
        self.open(points_fen=points_fen, approval_above_fen=limit_fen, **policies)
        self.spent_fen = 0
        self.at_console = {}
        for kind in (OrderKind.GOODS, OrderKind.RECHARGE):
            self.buy(total_fen=2_000, shipping_fen=300, kind=kind)

    # --- paying -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._orders(*WAITING))
    @rule(data=st.data(), mode=MODES, fault=FAULTS)
    def start_payment(self, data, mode, fault):
        order = data.draw(st.sampled_from(self._orders(*WAITING)))
        self.book.script(fault)
        try:
            charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())
        except OnetillError:  # it may have been paid, or have run out
            return

    @rule(
        total_fen=st.integers(1, 4_000),
        shipping_fen=st.integers(0, 500),
        kind=st.sampled_from([OrderKind.GOODS, OrderKind.RECHARGE]),
    )
    def buy(self, total_fen, shipping_fen, kind):
        """Order, pay and be told of it, and nothing goes wrong: there must be something to refund."""
        charge = self._start(total_fen, shipping_fen, kind, mode=Mode.PAGE)
        if charge is not None:
            self.book.pay(charge.number)
            assert self.deliver(self.book.notification(charge.number)) == b"success"

    @rule(total_fen=st.integers(1, 4_000), kind=st.sampled_from([OrderKind.GOODS, OrderKind.RECHARGE]))
    def pay_too_late(self, total_fen, kind):
        """Close an order whose code can still be scanned, and then it is paid; we are not told."""
        charge = self._start(total_fen, 0, kind, mode=Mode.QR)
        if charge is not None:
            closing.close(order_id=charge.order_id, actor="client:shop", at=timezone.now())
            self.book.pay(charge.number)

    def _start(self, total_fen, shipping_fen, kind, mode):
        self.book.be_well()
        if kind == OrderKind.GOODS:
            self.place(total_fen=total_fen, shipping_fen=shipping_fen)
        else:
            self.place_directly(total_fen=total_fen, kind=kind)
        order = Order.objects.latest("pk")
        if order.cash_fen:
            return charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())
        return None

    @precondition(lambda self: self.book.payments)
    @rule(data=st.data(), forged=st.booleans())
    def somebody_tells_what_is_not_true(self, data, forged):
        number = data.draw(st.sampled_from(sorted(self.book.payments)))
        raw = self.book.notification(number, amount_fen=1_000_000, status="PAID", paid_at=timezone.now().isoformat())
        if forged:
            raw = type(raw)(headers={"Memory-Signature": "0" * 64}, body=raw.body)
        before = Transfer.objects.count()
        assert self.deliver(raw) == b"failure"
        assert Transfer.objects.count() == before

    # --- giving back --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._refundable())
    @rule(data=st.data(), takes_time=st.booleans(), policy=POLICIES)
    def ask_a_part_back(self, data, takes_time, policy):
        order = data.draw(st.sampled_from(self._refundable()))
        goods_fen = data.draw(st.integers(0, queries.goods_left_fen(order)))
        shipping_fen = data.draw(st.integers(0 if goods_fen else 1, queries.shipping_left_fen(order) or 1))
        if shipping_fen <= queries.shipping_left_fen(order):
            self.book.script(data.draw(REFUND_FAULTS), verb="refund")
            self._ask_back(order, goods_fen, shipping_fen, takes_time=takes_time, policy=policy)

    @precondition(lambda self: self._refundable())
    @rule(data=st.data(), takes_time=st.booleans())
    def ask_the_rest_back(self, data, takes_time):
        order = data.draw(st.sampled_from(self._refundable()))
        goods_fen, shipping_fen = queries.goods_left_fen(order), queries.shipping_left_fen(order)
        self._ask_back(order, goods_fen, shipping_fen, takes_time=takes_time)

    @precondition(lambda self: self._orders(*FINISHED))
    @rule(data=st.data(), beyond_fen=st.integers(1, 1_000), of_shipping=st.booleans())
    def ask_too_much_back(self, data, beyond_fen, of_shipping):
        order = data.draw(st.sampled_from(self._orders(*FINISHED)))
        wanted = {"goods_fen": queries.goods_left_fen(order), "shipping_fen": queries.shipping_left_fen(order)}
        wanted["shipping_fen" if of_shipping else "goods_fen"] += beyond_fen
        before = (Refund.objects.count(), Transfer.objects.count())
        try:
            refunds.refund(order_id=order.pk, command=RefundCommand(**wanted), actor="user:lin", at=timezone.now())
        except (RefundExceeds, OrderNotRefundable):
            assert (Refund.objects.count(), Transfer.objects.count()) == before
        else:
            raise AssertionError(f"{wanted} of {order}")

    def _ask_back(self, order, goods_fen, shipping_fen, *, takes_time, policy=None):
        self.book.refunds_take_time = takes_time
        command = RefundCommand(
            goods_fen=goods_fen, shipping_fen=shipping_fen, policy=policy, refund_no=f"R{Refund.objects.count()}"
        )  # fmt: skip
        before = (Refund.objects.count(), Transfer.objects.count())
        try:
            made = refunds.refund(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())
        except NotEnough:
            assert order.kind == OrderKind.RECHARGE
            assert self._held(Kind.BALANCE) < goods_fen
            assert (Refund.objects.count(), Transfer.objects.count()) == before
        else:
            assert (made.goods_fen, made.shipping_fen) == (goods_fen, shipping_fen)
            again = refunds.refund(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())
            assert (again.pk, Refund.objects.count()) == (made.pk, before[0] + 1)

    @precondition(lambda self: Refund.objects.filter(status="to_approve").exists())
    @rule(data=st.data(), verb=st.sampled_from([refunds.approve, refunds.refuse]), fault=REFUND_FAULTS)
    def a_second_person_decides(self, data, verb, fault):
        made = data.draw(st.sampled_from(list(Refund.objects.filter(status="to_approve").order_by("pk"))))
        self.book.script(fault, verb="refund")
        verb(refund_id=made.pk, actor="user:wang", reason="seen", at=timezone.now())

    @precondition(lambda self: self._on_their_way())
    @rule(data=st.data(), end=st.sampled_from(["", "STUCK", "CLOSED"]))
    def gateway_comes_to_an_end(self, data, end):
        number = data.draw(st.sampled_from(self._on_their_way()))
        if end:
            self.book.trouble_refund(number, end)
        else:
            self.book.settle_refund(number)

    @rule(fault=REFUND_FAULTS, verb=st.sampled_from(["refund", "query_refund"]))
    def sweep_refunds(self, fault, verb):
        self.book.script(fault, verb=verb)
        self._sweep_refunds()

    @precondition(lambda self: self._left_at_the_gateway())
    @rule(data=st.data())
    def staff_refund_at_the_console(self, data):
        charge, left_fen = data.draw(st.sampled_from(self._left_at_the_gateway()))
        number = f"console-{len(self.at_console)}"
        refund_at_console(charge, data.draw(st.integers(1, left_fen)), number)
        self.at_console[number] = charge.number

    @precondition(lambda self: self.book.refunds)
    @rule(data=st.data(), times=st.integers(1, 2), fault=FAULTS)
    def gateway_tells_of_a_refund(self, data, times, fault):
        number = data.draw(st.sampled_from(sorted(self.book.refunds)))
        raw = self.book.notification(self.book.refunds[number].request.charge_number, refund_number=number)
        self.book.script(fault, verb="query_refund")
        for _delivery in range(times):
            assert self.deliver(raw) == b"success"
        self._process_notices()

    # --- ending -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._orders(*WAITING))
    @rule(data=st.data(), fault=FAULTS)
    def client_closes(self, data, fault):
        order = data.draw(st.sampled_from(self._orders(*WAITING)))
        self.book.script(fault)
        try:
            closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())
        except (OrderNotClosable, GatewayUnanswered):
            order.refresh_from_db()
            assert order.status in {*WAITING, *FINISHED}
        else:
            order.refresh_from_db()
            assert order.status == "closed"

    @precondition(lambda self: self._orders(*WAITING))
    @rule(data=st.data())
    def time_runs_out(self, data):
        self._expire(data.draw(st.sampled_from(self._orders(*WAITING))))

    @rule()
    def close_what_is_due(self):
        closing.close_due(at=timezone.now())

    @rule(fault=REFUND_FAULTS)
    def late_money_goes_back(self, fault):
        self.book.script(fault, verb="refund")
        late_money.refund_due()

    @rule(amount_fen=st.integers(1, 3_000))
    def customer_spends_the_balance(self, amount_fen):
        self.grants += 1
        spend = GrantCommand(
            grant_no=f"s{self.grants}", kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=amount_fen
        )  # fmt: skip
        before_fen = self._held(Kind.BALANCE)
        try:
            grants.grant(client_id=self.client.pk, user_id="442090", command=spend, actor="test")
        except NotEnough:
            assert amount_fen > before_fen
        else:
            self.spent_fen += amount_fen

    # --- what the rules look at ---------------------------------------------------------------------------------------

    def _orders(self, *statuses):
        return list(Order.objects.filter(status__in=statuses).order_by("pk"))

    def _refundable(self):
        return [
            order
            for order in self._orders("pay_finished", "partly_refund")
            if queries.goods_left_fen(order) + queries.shipping_left_fen(order)
        ]

    def _on_their_way(self):
        """What the gateway has not ended yet; one that it closed stays closed."""
        return sorted(
            number for number, made in self.book.refunds.items() if not made.settled_at and made.trouble != "CLOSED"
        )

    def _left_at_the_gateway(self):
        charges_of = Charge.objects.filter(number__in=self._paid()).order_by("pk")
        left = [(charge, charge.amount_fen - self.book.refunded_fen(charge.number)) for charge in charges_of]
        return [(charge, left_fen) for charge, left_fen in left if left_fen]

    def _expire(self, order):
        past = timezone.now() - datetime.timedelta(minutes=5)
        Order.objects.filter(pk=order.pk).update(expires_at=past)
        Charge.objects.filter(order=order, expires_at__isnull=False).update(
            expires_at=past - datetime.timedelta(minutes=1)
        )

    def _sweep_refunds(self):
        RefundLeg.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
        submission.sweep_due()

    def _process_notices(self):
        long_ago = timezone.now() - datetime.timedelta(minutes=1)
        InboundNotification.objects.filter(processed_at__isnull=True).update(received_at=long_ago, due_at=long_ago)
        inbox.process_due()

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def no_invariant_is_broken(self):
        if self.is_open:
            with transaction():
                broken = {found.name: found.examples for found in invariants.findings() if found.breaches}
            assert broken.keys() <= {"I15c"}, broken  # the world's own grants leave no audit rows

    @invariant()
    def every_account_holds_what_the_model_says(self):
        if not self.is_open:
            return
        assert model.held() == model.expected(issued_fen=self.issued_fen, spent_fen=self.spent_fen)

    @invariant()
    def what_we_booked_the_gateway_has_done(self):
        if not self.is_open:
            return
        for charge in Charge.objects.filter(tender__in=CASH, status__in=BOOKED):
            assert self.book.payments[charge.number].request.amount_fen == charge.paid_fen
            assert self.book.payments[charge.number].paid_at
            assert charge.refunded_fen <= self.book.refunded_fen(charge.number) <= charge.paid_fen

    def teardown(self):
        """In the end the faults stop, and everything comes to rest: paid or closed, and both books are the same."""
        if not self.is_open:
            return
        try:
            self._come_to_rest()
            assert not Charge.objects.filter(tender__in=CASH, status__in=OPEN).exists()
            assert not RefundLeg.objects.filter(status__in=LEG_OPEN).exists()
            assert not self._orders(*WAITING)
            booked = Charge.objects.filter(tender__in=CASH, status__in=BOOKED)
            assert sorted(booked.values_list("number", flat=True)) == self._paid()
            for charge in booked:
                assert charge.refunded_fen == self.book.refunded_fen(charge.number)
            assert not booked.filter(status="surplus").exists()
            assert balance_fen(code="suspense") == -model.of_spent_recharges()
            self.no_invariant_is_broken()
            self.every_account_holds_what_the_model_says()
        finally:
            self.close_the_example()

    def _come_to_rest(self):
        self.book.be_well()
        self.book.refunds_take_time = False
        for made in Refund.objects.filter(status="to_approve"):
            refunds.refuse(refund_id=made.pk, actor="user:wang", reason="closing time", at=timezone.now())
        for number in self._on_their_way():
            self.book.settle_refund(number)
        for number, charge_number in self.at_console.items():
            self.deliver(self.book.notification(charge_number, refund_number=number))
        for order in Order.objects.filter(Q(status__in=WAITING) | Q(charges__status__in=OPEN)).distinct():
            self._expire(order)
        for _round in range(3):
            self.sweep_charges()
            closing.close_due(at=timezone.now())
            late_money.refund_due()
            self._give_back_what_failed()
            self._sweep_refunds()
            self._process_notices()

    def _give_back_what_failed(self):
        for charge in Charge.objects.filter(status="surplus"):
            try:
                made = refunds.refund_surplus(charge_id=charge.pk, actor="user:lin", reason="", at=timezone.now())
            except NothingToReturn:
                continue
            if made.status == "to_approve":
                refunds.approve(refund_id=made.pk, actor="user:wang", reason="", at=timezone.now())


class TestRefundMachine(TestCase, RefundMachine.TestCase):
    settings = settings(
        max_examples=EXAMPLES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
