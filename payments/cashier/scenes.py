"""What the page shows of an order at one moment. Reads; decides nothing about money."""

import datetime
import enum
from dataclasses import dataclass

from payments.charges.models import CASH
from payments.charges.operations import GATEWAY_MARGIN, GATEWAY_MINIMUM
from payments.charges.states import OPEN
from payments.charges.states import Status as ChargeStatus
from payments.gateways.base import Mode
from payments.models import Charge, Order
from payments.orders.states import AWAITING_CASH, Status

FRESH = datetime.timedelta(minutes=2)  # paid so recently that the person is still waiting to be led back
SHOWN = (Mode.QR, Mode.PAGE, Mode.WAP, Mode.JSAPI)  # attempts made for an app's SDK are not this page's


class State(enum.StrEnum):
    CHOOSING = "choosing"  # cash is due and no attempt is open
    WAITING = "waiting"  # an attempt is open at the gateway
    ASKING = "asking"  # the gateway has given no definite answer yet
    FROM_BALANCE = "from_balance"  # the customer's balance pays, by a call of the shop's
    EXPIRED = "expired"
    SETTLING = "settling"  # the cash is there, the points are being taken
    PAID = "paid"
    REFUNDED = "refunded"
    CLOSED = "closed"


_BY_STATUS: dict[str, State] = {
    Status.CASH_PAID: State.SETTLING,
    Status.PAY_FINISHED: State.PAID,
    Status.PARTLY_REFUND: State.REFUNDED,
    Status.TOTAL_REFUND: State.REFUNDED,
    Status.CLOSED: State.CLOSED,
}
PAYABLE = (State.CHOOSING, State.WAITING, State.ASKING)
FINAL = (State.PAID, State.REFUNDED, State.CLOSED)


@dataclass(frozen=True, kw_only=True)
class Scene:
    order: Order
    charge: Charge | None  # the attempt at the cash that the page is about
    at: datetime.datetime

    @property
    def state(self) -> State:
        if self.order.status not in AWAITING_CASH:
            return _BY_STATUS[self.order.status]
        if self.at >= self.deadline:
            return State.EXPIRED
        if not self.order.cash_fen:
            return State.FROM_BALANCE
        attempt = self.open_attempt
        if attempt is None:
            return State.CHOOSING
        return State.WAITING if attempt.status == ChargeStatus.PENDING and self.target else State.ASKING

    @property
    def open_attempt(self) -> Charge | None:
        """
        The attempt that the person is to pay.

        Not one that ran out at the gateway, though it is not settled yet; nor one that another replaced, though the
        gateway will not close it yet: of two codes that both can be paid, only one is shown.
        """
        charge = self.charge
        if charge is None or charge.status not in OPEN or charge.is_replaced:
            return None
        return None if charge.expires_at and self.at >= charge.expires_at else charge

    @property
    def deadline(self) -> datetime.datetime:
        """Until when the person can pay or, where no attempt is open, can still start one."""
        if not self.order.cash_fen:  # no gateway has to end before the order does
            return self.order.expires_at
        attempt = self.open_attempt
        if attempt is not None and attempt.expires_at is not None:
            return attempt.expires_at
        return self.order.expires_at - GATEWAY_MARGIN - GATEWAY_MINIMUM

    @property
    def seconds_left(self) -> int:
        return max(0, int((self.deadline - self.at).total_seconds()))

    @property
    def target(self) -> str:
        """
        What leads the person to the gateway: the text of the code, the address, or the signature of the call (JSAPI).

        Empty while an answer is lost.
        """
        payload = self.charge.payload if self.charge else {}
        names = ("paySign",) if self.charge and self.charge.mode == Mode.JSAPI else ("qr_code", "url")
        return next((str(payload[name]) for name in names if payload.get(name)), "")

    @property
    def mark(self) -> str:
        """Changes when the page has something else to show."""
        return f"{self.state}-{self.order.status}-{self.charge.attempt if self.charge else 0}"

    @property
    def template(self) -> str:
        return f"cashier/states/{self.state}.html"

    @property
    def is_payable(self) -> bool:
        return self.state in PAYABLE

    @property
    def is_due(self) -> bool:
        """Whether something is to be paid still, here or from the balance."""
        return self.is_payable or self.state is State.FROM_BALANCE

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_ended(self) -> bool:
        """Whether there is nothing left to do here but to go back to the shop."""
        return self.is_final or self.state is State.EXPIRED

    @property
    def is_fresh(self) -> bool:
        """Whether the order was completed just now, so that the person should be led back without asking."""
        finished_at = self.order.finished_at
        return self.state is State.PAID and finished_at is not None and self.at - finished_at < FRESH

    @property
    def was_refused(self) -> bool:
        """Whether the gateway refused the latest attempt, so that choosing again needs a word of explanation."""
        return self.state is State.CHOOSING and self.charge is not None and self.charge.status == ChargeStatus.FAILED


def scene_of(*, order: Order, at: datetime.datetime) -> Scene:
    """Return the scene of an order: about the attempt that no other has replaced, else about the latest."""
    charges = list(
        Charge.objects.select_related("gateway_account")
        .filter(order=order, tender__in=CASH, mode__in=SHOWN)
        .order_by("-attempt")
    )
    current = [charge for charge in charges if charge.status in OPEN and not charge.is_replaced]
    return Scene(order=order, charge=next(iter([*current, *charges]), None), at=at)
