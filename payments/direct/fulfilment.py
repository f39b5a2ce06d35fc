"""What the order book asks of orders that a client makes directly, without a family of its own."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.direct.models import Appointment
from payments.orders.models import Order, OrderKind
from payments.orders.states import Status

LABELS = {
    "appointment_for": _("for whom"),
    "appointment_time": _("time of the appointment"),
    "confirmed_at": _("confirmed at"),
}
PERSONAL = ("appointment_for",)


def fulfil(*, order: Order) -> None:
    """Confirm an appointment. Goods are the client's to deliver; a recharge is in the balance by its postings."""
    Appointment.objects.filter(order=order, confirmed_at__isnull=True).update(
        confirmed_at=order.finished_at or timezone.now()
    )


def release(*, order_ids: list[int]) -> None:
    """An appointment that was never paid was never confirmed: closing gives nothing back."""


def take_back(*, order: Order, refund: Any) -> None:
    """A refund in full cancels an appointment. A recharge is taken back out of the balance by its postings."""
    if order.status == Status.TOTAL_REFUND:
        Appointment.objects.filter(order=order).update(confirmed_at=None)


def describe(*, order: Order) -> dict[str, str]:
    """Return what the order page shows of an appointment."""
    appointment = Appointment.objects.filter(order=order).first()
    if appointment is None:
        return {}
    return {
        "appointment_for": appointment.appointment_for,
        "appointment_time": f"{timezone.localtime(appointment.appointment_time):%Y-%m-%d %H:%M:%S}",
        "confirmed_at": f"{timezone.localtime(appointment.confirmed_at):%Y-%m-%d %H:%M:%S}"
        if appointment.confirmed_at
        else "",
    }


def look_up(*, term: str) -> list[tuple[Any, Any]]:
    """An order made directly has no number beyond its own."""
    return []


def audit() -> list[str]:
    """Return the breaches: an appointment order without its appointment, one that is paid and not confirmed."""
    booked = Order.objects.filter(family="payments", kind=OrderKind.APPOINTMENT)
    without = booked.filter(appointment__isnull=True)
    unconfirmed = booked.filter(
        status=Status.PAY_FINISHED,
        fulfil_due_at__isnull=True,
        appointment__isnull=False,
        appointment__confirmed_at__isnull=True,
    )
    return [
        *(f"order {number} has no appointment" for number in without.values_list("number", flat=True)[:100]),
        *(
            f"appointment {number} is paid, not confirmed"
            for number in unconfirmed.values_list("number", flat=True)[:100]
        ),
    ]
