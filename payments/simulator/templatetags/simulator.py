"""How the book's values are written on pages."""

from urllib.parse import parse_qsl

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.simulator import faults, rooms
from payments.simulator.models import Merchant, Notification, Trade
from payments.simulator.money import yuan

register = template.Library()
register.filter("yuan", yuan)

STATUSES = {
    Trade.Status.OFFERED: _("Not opened yet"),
    Trade.Status.WAITING: _("Waiting for the payer"),
    Trade.Status.PAID: _("Paid"),
    Trade.Status.FINISHED: _("Finished"),
    Trade.Status.CLOSED: _("Closed"),
}
STATES = {
    Notification.State.DUE: _("Due"),
    Notification.State.HELD: _("Held back"),
    Notification.State.SENDING: _("Being sent"),
    Notification.State.DONE: _("Taken"),
    Notification.State.GIVEN_UP: _("Given up"),
    Notification.State.LOST: _("Lost"),
}
EVENTS = {"paid": _("Payment"), "refunded": _("Refund"), "closed": _("Closing"), "finished": _("End")}
GATEWAYS = {"alipay": _("Simulated Alipay")}
PRODUCTS = {"precreate": _("QR code"), "page": _("Desktop page"), "wap": _("Phone page"), "app": _("App")}


@register.filter
def status_label(trade: Trade) -> Promise:
    return STATUSES[Trade.Status(trade.status)]


@register.filter
def gateway_word(trade: Trade) -> str:
    return rooms.of(trade.merchant.gateway).status_word(trade)


@register.filter
def state_label(notification: Notification) -> Promise:
    return STATES[Notification.State(notification.state)]


@register.filter
def event_label(notification: Notification) -> Promise | str:
    return EVENTS.get(notification.event, notification.event)


@register.filter
def gateway_label(merchant: Merchant) -> Promise:
    return GATEWAYS[merchant.gateway]


@register.filter
def product_label(trade: Trade) -> Promise | str:
    return PRODUCTS.get(trade.product, trade.product)


@register.filter
def fault_label(name: str) -> Promise | str:
    return faults.MENU[name].label if name in faults.MENU else name


@register.filter
def form_lines(body: str) -> str:
    """A form body, one parameter to the line."""
    return "\n".join(f"{name} = {value}" for name, value in parse_qsl(body)) or body
