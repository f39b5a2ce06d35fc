"""What the books write in codes, in the words of the people who read the order page."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from payments.charges.models import Tender
from payments.gateways.models import GatewayKind
from payments.ledger import accounts
from payments.models import GatewayAccount, Order
from payments.orders.families import family

ACCOUNTS = {
    accounts.ESCROW: _("held for the order"),
    accounts.SALES: _("sales"),
    accounts.SHIPPING: _("shipping earned"),
    accounts.SUSPENSE: _("money that belongs to no order"),
    accounts.REFUNDING: _("taken back for a refund"),
    accounts.POINTS_ISSUED: _("points issued"),
    accounts.BALANCE_ISSUED: _("balance issued"),
}
DEEDS = {
    "order.place": _("order made"),
    "order.close": _("order closed"),
    "order.flag": _("money flag set"),
    "order.unflag": _("money flag cleared"),
    "order.query": _("gateway asked by hand"),
    "charge.paid": _("payment booked"),
    "charge.surplus": _("payment beyond need booked"),
    "charge.confirm_request": _("payment confirmed by hand"),
    "charge.confirm_approved": _("payment by hand approved"),
    "charge.confirm_refused": _("payment by hand not approved"),
    "notification.verify": _("notification verified anew"),
    "notification.replay": _("notification processed again"),
    "refund.request": _("refund asked for"),
    "refund.approved": _("refund approved"),
    "refund.refused": _("refund not approved"),
    "refund.succeeded": _("refund succeeded"),
    "refund.failed": _("refund failed"),
    "webhook.redeliver": _("webhook sent again"),
}
DETAILS = {
    "reason": _("reason"),
    "charge": _("charge"),
    "refund": _("refund"),
    "flag": _("money flag"),
    "total_fen": _("total"),
    "amount_fen": _("amount"),
    "goods_fen": _("goods"),
    "shipping_fen": _("shipping"),
    "paid_fen": _("paid"),
    "points_fen": _("points"),
    "balance_fen": _("balance"),
    "cash_fen": _("cash"),
    "total": _("total"),
    "points": _("points"),
    "balance": _("balance"),
    "goods": _("goods"),
    "shipping": _("shipping"),
    "paid": _("paid"),
    "kind": _("kind"),
    "trade_no": _("gateway's number"),
    "waits_for_approval": _("waits for a second person"),
    "uid": _("event id"),
    "url": _("address"),
    "status": _("status"),
    "answers": _("answers"),
    "amount": _("amount"),
    "requested_by": _("requested by"),
    "gateway_said": _("what the gateway said"),
    "evidence_sha256": _("SHA-256 of the file"),
    "verdict": _("verdict"),
    "before": _("before"),
    "after": _("after"),
}
GATEWAYS = {**dict(GatewayKind.choices), **dict(Tender.choices)}
ACTORS = {
    "system": _("by itself"),
    "user": _("staff"),
    "client": _("client"),
    "gateway": _("gateway"),
    "customer": _("customer"),
}


def account_words(code: str, *, gateways: Mapping[int, GatewayAccount]) -> Any:
    """Return what people call the account of the ledger that `code` stands for."""
    kind, _colon, number = code.partition(":")
    if kind == "clearing":
        account = gateways.get(int(number)) if number.isdecimal() else None
        return _("money at %s") % (account or code)
    if kind in accounts.Kind.values:
        return _("customer's points") if kind == accounts.Kind.POINTS else _("customer's balance")
    return ACCOUNTS.get(code, code)


def deed_words(action: str, *, order: Order) -> Any:
    """Return what people call a deed of an audit row: ours, or the family's."""
    return DEEDS.get(action) or family(order.family).LABELS.get(action, action)


def actor_words(actor: str) -> str:
    """Return `staff lin` for user:lin, `gateway Alipay` for gateway:alipay; what is no known kind stays as it is."""
    kind, _colon, name = actor.partition(":")
    if kind == "gateway":
        name = str(GATEWAYS.get(name, name))
    return f"{ACTORS[kind]} {name}".strip() if kind in ACTORS else actor
