"""
Any sequence of payments, refunds, closings, lost answers and what others do at the gateway keeps the books straight.

After each step every invariant holds, and every account holds what a model of plain sums says: what the customer may
spend, what is sold, in escrow, in suspense, kept for refunds, and what each gateway owes us. In the end the faults
stop, everything comes to rest, and the gateway's own book is ours.
"""

import datetime
import os

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
from payments.gateways.memory import Fault
from payments.inbox import operations as inbox
from payments.ledger.accounts import Kind
from payments.ledger.operations import NotEnough
from payments.ledger.queries import balance_fen
from payments.models import Account, Charge, GatewayAccount, InboundNotification, Order, Refund, RefundLeg, Transfer
from payments.orders.models import OrderKind
from payments.refunds import operations as refunds
from payments.refunds import queries, submission
from payments.refunds.operations import NothingToReturn, OrderNotRefundable, RefundCommand
from payments.refunds.planner import RefundExceeds
from payments.refunds.states import LEG_OPEN
from payments.transactions import transaction
from tests.money_machine.shop import FAULTS, MODES, Shop
from tests.payments.refunds.shop import refund_at_console

# What continuous integration has time for; more before a release.
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "12"))
REFUND_FAULTS = FAULTS | st.just(Fault.REFUSED)
FINISHED = ("pay_finished", "partly_refund", "total_refund")
WAITING = ("unpaid", "point_paid")


class RefundMachine(Shop):
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

    @precondition(lambda self: self._waiting())
    @rule(data=st.data(), mode=MODES)
    def pay_and_tell(self, data, mode):
        number = data.draw(st.sampled_from(self._waiting()))
        self.book.pay(number)
        assert self.deliver(self.book.notification(number)) == b"success"

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

    @rule(takes_time=st.booleans())
    def refunds_take_time_or_not(self, takes_time):
        self.book.refunds_take_time = takes_time

    @precondition(lambda self: self._orders(*FINISHED))
    @rule(data=st.data(), beyond=st.booleans(), policy=st.sampled_from([None, "cash_first", "pro_rata"]))
    def ask_back(self, data, beyond, policy):
        order = data.draw(st.sampled_from(self._orders(*FINISHED)))
        self.book.script(data.draw(REFUND_FAULTS), verb="refund")
        left = [queries.goods_left_fen(order), queries.shipping_left_fen(order)]
        goods_fen, shipping_fen = (data.draw(st.integers(0, fen)) for fen in left)
        goods_fen = left[0] + 1 if beyond else goods_fen
        if not goods_fen + shipping_fen:
            return
        before = (Refund.objects.count(), Transfer.objects.count())
        command = RefundCommand(
            goods_fen=goods_fen, shipping_fen=shipping_fen, policy=policy, refund_no=f"R{Refund.objects.count()}"
        )  # fmt: skip
        try:
            made = refunds.refund(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())
        except (RefundExceeds, OrderNotRefundable):
            assert beyond
        except NotEnough:
            assert order.kind == OrderKind.RECHARGE
        else:
            assert not beyond
            assert (made.goods_fen, made.shipping_fen) == (goods_fen, shipping_fen)
            return
        assert (Refund.objects.count(), Transfer.objects.count()) == before

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
        InboundNotification.objects.filter(processed_at__isnull=True).update(received_at=long_ago)
        inbox.process_due()

    def _held(self, kind):
        return Account.objects.get(customer=self.customer, kind=kind).balance_fen

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
        accounts = ["escrow", "sales", "shipping", "suspense", "refunding", self._clearing()]
        held = {code: balance_fen(code=code) for code in accounts}
        held |= {kind.value: self._held(kind) for kind in Kind}
        assert held == self._model()

    def _clearing(self):
        return f"clearing:{GatewayAccount.objects.get().pk}"

    def _model(self):
        """Add up what the orders, the payments that came and the refunds that went must have left where."""
        orders = list(Order.objects.all())
        booked = list(Charge.objects.filter(tender__in=CASH, status__in=["succeeded", "surplus", "released"]))
        legs = list(RefundLeg.objects.select_related("charge__order", "refund"))
        back = [leg for leg in legs if leg.status == "succeeded"]
        spent = self._of_spent_recharges()
        surplus = {charge.pk for charge in booked if charge.status != "succeeded"}
        recharges = {order.pk for order in orders if order.kind == OrderKind.RECHARGE}
        sold = [order for order in orders if order.status in FINISHED and order.pk not in recharges]
        recharged = [order for order in orders if order.status in FINISHED and order.pk in recharges]
        of_recharges = [leg for leg in legs if leg.charge.order_id in recharges and leg.charge_id not in surplus]
        kept_fen = sum(leg.amount_fen for leg in of_recharges if leg.status in LEG_OPEN)
        out_of_balance_fen = sum(leg.amount_fen for leg in of_recharges if leg.status == "succeeded") - spent
        points = [leg.amount_fen for leg in back if leg.charge.tender == "points"]
        cash = [leg for leg in back if leg.charge.tender in CASH]
        assert all(
            order.refunded_fen == sum(leg.amount_fen for leg in back if leg.charge.order_id == order.pk)
            for order in [*sold, *recharged]
            if not surplus & {leg.charge_id for leg in back}
        )
        return {
            "escrow": sum(order.points_fen for order in orders if order.status in WAITING),
            "sales": sum(order.goods_fen - order.refunded_goods_fen for order in sold),
            "shipping": sum(order.shipping_fen - order.refunded_shipping_fen for order in sold),
            "suspense": sum(charge.paid_fen for charge in booked if charge.pk in surplus)
            - sum(leg.amount_fen for leg in back if leg.charge_id in surplus)
            - spent,
            "refunding": kept_fen,
            self._clearing(): sum(leg.amount_fen for leg in cash) - sum(charge.paid_fen for charge in booked),
            "points": self.issued_fen
            - sum(order.points_fen for order in orders if order.status != "closed")
            + sum(points),
            "balance": sum(order.total_fen for order in recharged) - out_of_balance_fen - kept_fen - self.spent_fen,
        }

    def _of_spent_recharges(self):
        """What the console gave back of recharges that were spent: staff see to it."""
        return sum(
            leg.amount_fen
            for leg in RefundLeg.objects.filter(
                refund__kind="console", charge__status="succeeded", charge__order__kind=OrderKind.RECHARGE
            )
            if Transfer.objects.filter(reference=leg.number, debit="suspense").exists()
        )

    @invariant()
    def what_we_booked_the_gateway_has_done(self):
        if not self.is_open:
            return
        for charge in Charge.objects.filter(tender__in=CASH, status__in=["succeeded", "surplus", "released"]):
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
            booked = Charge.objects.filter(tender__in=CASH, status__in=["succeeded", "surplus", "released"])
            assert sorted(booked.values_list("number", flat=True)) == self._paid()
            for charge in booked:
                assert charge.refunded_fen == self.book.refunded_fen(charge.number)
            assert not booked.filter(status="surplus").exists()
            assert balance_fen(code="suspense") == -self._of_spent_recharges()
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
        for order in self._orders(*WAITING):
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
                refunds.refund_surplus(charge_id=charge.pk, actor="system", reason="", at=timezone.now())
            except NothingToReturn:
                continue


class TestRefundMachine(TestCase, RefundMachine.TestCase):
    settings = settings(
        max_examples=EXAMPLES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
