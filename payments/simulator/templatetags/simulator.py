"""How the book's values are written on pages."""

import re
from urllib.parse import parse_qsl

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.simulator import faults, rooms
from payments.simulator.models import Merchant, Notification, Refund, Trade
from payments.simulator.money import yuan

register = template.Library()
register.filter("yuan", yuan)

MARKUP = re.compile(r"<!\[CDATA\[|\]\]>|<[^>]*>")
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
TROUBLES = {
    Refund.Trouble.ABNORMAL: _("the payer's account takes no money"),
    Refund.Trouble.CLOSED: _("given up by the gateway"),
}
EVENTS = {"paid": _("Payment"), "refunded": _("Refund"), "closed": _("Closing"), "finished": _("End")}
GATEWAYS = {"alipay": _("Simulated Alipay"), "wechat": _("Simulated WeChat Pay")}
PRODUCTS = {
    "precreate": _("QR code"),
    "native": _("QR code"),
    "page": _("Desktop page"),
    "wap": _("Phone page"),
    "h5": _("Phone page"),
    "jsapi": _("Inside WeChat"),
    "app": _("App"),
}
MODES = {"public_key": _("public key"), "certificate": _("certificates"), "grey": _("certificates and public key")}


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
def gateway_label(gateway: str) -> Promise:
    return GATEWAYS[gateway]


@register.filter
def mode_label(merchant: Merchant) -> Promise:
    """How the gateway proves itself to this merchant."""
    if "mode" in merchant.particulars:
        return MODES[merchant.particulars["mode"]]
    return _("certificates") if merchant.app_cert_sn else _("keys")


@register.filter
def refund_label(refund: Refund) -> Promise | str:
    """Why no money moved (yet); empty where it did."""
    if refund.moved:
        return ""
    if refund.trouble:
        return TROUBLES[Refund.Trouble(refund.trouble)]
    return _("on its way") if refund.settles_at else _("no money moved")


@register.filter
def code_to_scan(trade: Trade) -> str:
    return rooms.of(trade.merchant.gateway).code_url(trade, "")


@register.filter
def product_label(trade: Trade) -> Promise | str:
    return PRODUCTS.get(trade.product, trade.product)


@register.filter
def fault_label(name: str) -> Promise | str:
    return faults.MENU[name].label if name in faults.MENU else name


@register.filter
def form_lines(body: str) -> str:
    """A form, one parameter to the line; XML and JSON as they are."""
    if body.startswith(("<", "{")):
        return body
    return "\n".join(f"{name} = {value}" for name, value in parse_qsl(body)) or body


@register.filter
def gist(answer: str) -> str:
    """What an answer says, without its markup."""
    return " ".join(MARKUP.sub(" ", answer).split())
