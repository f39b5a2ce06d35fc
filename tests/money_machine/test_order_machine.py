"""
Any sequence of orders, attempts, payments, lost answers, notices and queries keeps the books straight.

The machine plays the client, the payer and a gateway that loses, repeats and delays; after each step the books are
compared with the gateway's own book and with a model that only adds up.
"""

from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from checkout import operations as checkout
from checkout.operations import NumberReused, PayCommand
from payments.charges import operations as charges
from payments.charges.models import CASH
from payments.charges.states import OPEN
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.errors import OnetillError
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.gateways.memory import Fault
from payments.inbox import operations as inbox
from payments.ledger.queries import balance_fen
from payments.models import Account, Charge, Order
from payments.orders.models import OrderKind
from tests.world import grant, make_client, make_customer, make_memory_account

MODES = st.sampled_from(list(Mode))
FAULTS = st.sampled_from([Fault.NONE, Fault.LOST_REQUEST, Fault.LOST_RESPONSE, Fault.UNCLEAR, Fault.REFUSED_FOR_NOW])


class OrderMachine(RuleBasedStateMachine):
    @initialize(points_fen=st.integers(0, 5_000), policy=st.sampled_from(["points_first", "points_last"]))
    def open_shop(self, points_fen, policy):
        # Every example starts from an empty database; like the test's own transaction, this one is nobody's business.
        self.example = transaction.atomic()
        self.example._from_testcase = True
        self.example.__enter__()
        memory.forget_everything()
        self.book = memory.book("memory-app")
        make_memory_account()
        self.client = make_client(points_policy=policy)
        self.customer = make_customer(client=self.client, points_fen=points_fen)
        self.issued_fen = points_fen
        self.grants = 0
        self.commands = []

    @rule(total_fen=st.integers(1, 4_000), shipping_fen=st.integers(0, 500))
    def place(self, total_fen, shipping_fen):
        command = PayCommand(
            out_trade_no=f"T{len(self.commands)}", client_pay_id="", total_fen=total_fen,
            shipping_fen=min(shipping_fen, total_fen), user_id="442090", ee_no="a09999", redirect_url="",
        )  # fmt: skip
        checkout.pay(client=self.client, command=command, at=timezone.now())
        self.commands.append(command)

    @rule(total_fen=st.integers(1, 4_000), kind=st.sampled_from([OrderKind.GOODS, OrderKind.RECHARGE]))
    def place_directly(self, total_fen, kind):
        command = OrderCommand(kind=kind, user_id="442090", title="title", total_fen=total_fen)
        direct.place_order(client=self.client, command=command, at=timezone.now())

    @precondition(lambda self: self.commands)
    @rule(data=st.data(), other_total=st.booleans())
    def repeat(self, data, other_total):
        command = data.draw(st.sampled_from(self.commands))
        before = Order.objects.count()
        if other_total:
            command = PayCommand(**(vars(command) | {"total_fen": command.total_fen + 1}))
        try:
            checkout.pay(client=self.client, command=command, at=timezone.now())
        except NumberReused:
            assert other_total
        else:
            assert not other_total
        assert Order.objects.count() == before

    @rule(amount_fen=st.integers(1, 2_000))
    def grant_points(self, amount_fen):
        self.grants += 1
        grant(customer=self.customer, amount_fen=amount_fen, reference=f"more:{self.customer.pk}:{self.grants}")
        self.issued_fen += amount_fen

    @precondition(lambda self: Order.objects.exists())
    @rule(data=st.data(), mode=MODES, fault=FAULTS, payer_id=st.sampled_from(["one", "another"]))
    def start_payment(self, data, mode, fault, payer_id):
        order = data.draw(st.sampled_from(list(Order.objects.order_by("pk"))))
        self.book.script(fault)
        try:
            payer = charges.Payer(payer_id=payer_id if mode is Mode.JSAPI else "")
            charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now(), payer=payer)
        except OnetillError:
            assert order.status == "pay_finished" or self._newly_finished(order)

    @precondition(lambda self: self._waiting())
    @rule(data=st.data())
    def payer_pays(self, data):
        self.book.pay(data.draw(st.sampled_from(self._waiting())))

    @precondition(lambda self: self._paid())
    @rule(data=st.data(), times=st.integers(1, 3))
    def gateway_notifies(self, data, times):
        raw = self.book.notification(data.draw(st.sampled_from(self._paid())))
        for _delivery in range(times):
            inbox.receive(
                kind="memory", headers=raw.headers, body=raw.body, remote_address=None, at=timezone.now()
            )  # fmt: skip

    @rule(fault=FAULTS)
    def sweep(self, fault):
        self.book.script(fault, verb="query_payment")
        Charge.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
        charges.sweep_due()

    def _waiting(self):
        return sorted(number for number, payment in self.book.payments.items() if payment.status == "WAITING")

    def _paid(self):
        return sorted(number for number, payment in self.book.payments.items() if payment.status == "PAID")

    def _newly_finished(self, order):
        order.refresh_from_db()
        return order.status == "pay_finished"

    @invariant()
    def books_are_straight(self):
        if not hasattr(self, "client"):
            return
        held_fen = Account.objects.get(customer=self.customer, kind="points").balance_fen
        assert held_fen == balance_fen(code=f"points:{self.customer.pk}") >= 0
        spent_fen = sum(Order.objects.values_list("points_fen", flat=True))
        assert held_fen == self.issued_fen - spent_fen
        finished = Order.objects.filter(status="pay_finished")
        revenue_fen = balance_fen(code="sales") + balance_fen(code="shipping")
        sold = finished.exclude(kind=OrderKind.RECHARGE)
        assert revenue_fen == sum(sold.values_list("total_fen", flat=True))
        saved_fen = Account.objects.get(customer=self.customer, kind="balance").balance_fen
        recharged = finished.filter(kind=OrderKind.RECHARGE)
        assert saved_fen == sum(recharged.values_list("total_fen", flat=True))
        waiting = Order.objects.exclude(status="pay_finished")
        assert balance_fen(code="escrow") == sum(waiting.values_list("points_fen", flat=True))

    @invariant()
    def of_several_open_attempts_only_the_last_that_was_asked_for_is_wanted(self):
        if hasattr(self, "client"):
            open_attempts = Charge.objects.filter(tender__in=CASH, status__in=OPEN, is_replaced=False)
            assert open_attempts.count() == open_attempts.values("order").distinct().count()

    @invariant()
    def what_we_booked_the_gateway_has_taken_each_once(self):
        if not hasattr(self, "client"):
            return
        booked = dict(
            Charge.objects.filter(tender__in=CASH, status__in=["succeeded", "surplus"]).values_list(
                "number", "paid_fen"
            )
        )
        taken = {number: self.book.payments[number].request.amount_fen for number in self._paid()}
        assert booked.items() <= taken.items()
        assert balance_fen(code="suspense") == sum(
            Charge.objects.filter(status="surplus").values_list("paid_fen", flat=True)
        )
        assert not Charge.objects.filter(number__in=taken, status="failed").exists()

    def teardown(self):
        """In the end the faults stop, and everything that the gateway took is found and booked, each once."""
        if not hasattr(self, "client"):
            return
        try:
            self.book.be_well()
            for _round in range(3):
                Charge.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
                charges.sweep_due()
            booked = Charge.objects.filter(tender__in=CASH, status__in=["succeeded", "surplus"])
            assert sorted(booked.values_list("number", flat=True)) == self._paid()
        finally:
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)


class TestOrderMachine(TestCase, OrderMachine.TestCase):
    settings = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
