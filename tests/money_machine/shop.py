"""What the machines share: a shop in an empty database, its customer, and a gateway that others play."""

from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from checkout import operations as checkout
from checkout.operations import PayCommand
from payments.charges import operations as charges
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.gateways.memory import Fault
from payments.inbox import operations as inbox
from payments.models import Charge
from payments.orders.models import OrderKind
from tests.world import grant, make_client, make_customer, make_memory_account

FAULTS = st.sampled_from([Fault.NONE, Fault.LOST_REQUEST, Fault.LOST_RESPONSE, Fault.UNCLEAR, Fault.REFUSED_FOR_NOW])
MODES = st.sampled_from(list(Mode))


class Shop(RuleBasedStateMachine):
    """Customers who order, pay and are told of; the machines add what else happens, and what must hold."""

    def open(self, *, points_fen, **client_fields):
        # Every example starts from an empty database; like the test's own transaction, this one is nobody's business.
        self.example = transaction.atomic()
        self.example._from_testcase = True
        self.example.__enter__()
        memory.forget_everything()
        self.book = memory.book("memory-app")
        make_memory_account()
        self.client = make_client(**client_fields)
        self.customer = make_customer(client=self.client, points_fen=points_fen)
        self.issued_fen = points_fen
        self.grants = 0
        self.commands = []

    def close_the_example(self):
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    @property
    def is_open(self):
        return hasattr(self, "client")

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

    @rule(amount_fen=st.integers(1, 2_000))
    def grant_points(self, amount_fen):
        self.grants += 1
        grant(customer=self.customer, amount_fen=amount_fen, reference=f"more:{self.customer.pk}:{self.grants}")
        self.issued_fen += amount_fen

    @precondition(lambda self: self._waiting())
    @rule(data=st.data())
    def payer_pays(self, data):
        self.book.pay(data.draw(st.sampled_from(self._waiting())))

    @precondition(lambda self: self._paid())
    @rule(data=st.data(), times=st.integers(1, 3))
    def gateway_notifies(self, data, times):
        raw = self.book.notification(data.draw(st.sampled_from(self._paid())))
        for _delivery in range(times):
            assert self.deliver(raw) == b"success"

    @rule(fault=FAULTS)
    def sweep(self, fault):
        self.book.script(fault, verb="query_payment")
        self.sweep_charges()

    def deliver(self, raw):
        answer = inbox.receive(
            kind="memory", headers=raw.headers, body=raw.body, remote_address=None, at=timezone.now()
        )  # fmt: skip
        return answer.body

    def sweep_charges(self):
        Charge.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
        return charges.sweep_due()

    def _waiting(self):
        return sorted(number for number, payment in self.book.payments.items() if payment.status == "WAITING")

    def _paid(self):
        return sorted(number for number, payment in self.book.payments.items() if payment.status == "PAID")
