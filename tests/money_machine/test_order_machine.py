"""
Any sequence of orders, attempts, payments, lost answers, notices and queries keeps the books straight.

The machine plays the client, the payer and a gateway that loses, repeats and delays; after each step the books are
compared with the gateway's own book and with a model that only adds up.
"""

from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import initialize, invariant, precondition, rule

from checkout import operations as checkout
from checkout.operations import NumberReused, PayCommand
from payments.charges import operations as charges
from payments.charges.models import CASH
from payments.charges.states import OPEN
from payments.errors import OnetillError
from payments.gateways.base import Mode
from payments.ledger.queries import balance_fen
from payments.models import Account, Charge, Order
from payments.orders.models import OrderKind
from tests.money_machine.shop import FAULTS, MODES, Shop


class OrderMachine(Shop):
    @initialize(points_fen=st.integers(0, 5_000), policy=st.sampled_from(["points_first", "points_last"]))
    def open_shop(self, points_fen, policy):
        self.open(points_fen=points_fen, points_policy=policy)

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

    def _newly_finished(self, order):
        order.refresh_from_db()
        return order.status == "pay_finished"

    @invariant()
    def books_are_straight(self):
        if not self.is_open:
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
        if self.is_open:
            open_attempts = Charge.objects.filter(tender__in=CASH, status__in=OPEN, is_replaced=False)
            assert open_attempts.count() == open_attempts.values("order").distinct().count()

    @invariant()
    def what_we_booked_the_gateway_has_taken_each_once(self):
        if not self.is_open:
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
        if not self.is_open:
            return
        try:
            self.book.be_well()
            for _round in range(3):
                self.sweep_charges()
            booked = Charge.objects.filter(tender__in=CASH, status__in=["succeeded", "surplus"])
            assert sorted(booked.values_list("number", flat=True)) == self._paid()
        finally:
            self.close_the_example()


class TestOrderMachine(TestCase, OrderMachine.TestCase):
    settings = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
