"""Statuses as labels: their words, and unfold's colours."""

from typing import Any, NamedTuple

from django.apps import apps

from payments.orders.models import MoneyFlag
from payments.orders.states import Status
from payments.refunds.states import LegStatus

ORDERS = {
    Status.UNPAID.value: "warning",
    Status.POINT_PAID.value: "warning",
    Status.CASH_PAID.value: "warning",
    Status.PAY_FINISHED.value: "success",
    Status.PARTLY_REFUND.value: "info",
    Status.TOTAL_REFUND.value: "info",
    Status.CLOSED.value: "",
}
LEGS = {
    LegStatus.STARTED.value: "warning",
    LegStatus.UNKNOWN.value: "danger",
    LegStatus.PENDING.value: "info",
    LegStatus.STUCK.value: "danger",
    LegStatus.SUCCEEDED.value: "success",
    LegStatus.FAILED.value: "danger",
}
FLAGS = {flag.value: "danger" for flag in MoneyFlag if flag}


class Label(NamedTuple):
    text: Any
    colour: str


def family_words(name: str) -> Any:
    """Return what people call a family."""
    return apps.get_app_config(name).verbose_name


def status_label(order: Any) -> Label:
    return Label(order.get_status_display(), ORDERS[order.status])


def flag_label(order: Any) -> Label | None:
    return Label(order.get_money_flag_display(), FLAGS[order.money_flag]) if order.money_flag else None
