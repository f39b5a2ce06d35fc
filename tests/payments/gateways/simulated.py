"""A gateway played by the simulator: the stage of the conformance suite, and a receiver of raw notices."""

import abc

import pytest

from payments.gateways.base import RawNotification
from tests.payments.gateways.conformance import Stage
from tests.simulator.receiver import Receiver, eventually


class RawReceiver(Receiver):
    """Keeps headers and bytes, which is what a gateway verifies, and acknowledges in the gateway's own words."""

    acknowledgement = b"success"

    def read(self, headers, body):
        return RawNotification(headers=dict(headers), body=body)

    def take(self, headers, body):
        super().take(headers, body)
        return 200, self.acknowledgement


@pytest.fixture
def receiver():
    with RawReceiver() as receiver:
        yield receiver


class SimulatedStage(Stage):
    fee_per_mille = 6

    @abc.abstractmethod
    def refund_number(self, facts):
        """Our number of the refund that a notice tells of, "" for one of a payment."""

    def __init__(self, simulator, receiver):
        self.simulator, self.receiver, self.notify_url = simulator, receiver, receiver.url

    def scan(self, number):
        self.simulator.scan(number)

    def pay(self, number):
        self.simulator.pay(number)

    def refund_at_console(self, number, *, amount_fen):
        return self.simulator.refund(number, amount_fen)["request_no"]

    def spoil_bill(self, **counts):
        return self.simulator.spoil_bill(self.merchant.app_id, **counts)

    def notification(self, number, *, refund_number=""):
        """Sent again by hand each time, so that it is certainly the newest that came."""

        def told():
            notices = self.simulator.notifications(number)
            return [notice for notice in notices if self.refund_number(notice["facts"]) == refund_number]

        notice = eventually(told, what=f"the notice of {number} {refund_number}")[-1]
        eventually(lambda: self.simulator.notifications(number)[-1]["deliveries"], what="its first delivery")
        self.simulator.resend(notice["id"])
        return self.receiver.received[-1]

    def strangers_notification(self, number):
        self.notification(number)  # let the genuine one go first: the fault strikes the next delivery
        self.simulator.arm("wrong_merchant", match=number)
        return self.notification(number)
