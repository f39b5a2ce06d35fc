"""The way back: where a customer goes when the cashier is done, and how the client knows that we sent them."""

import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from payments.clients import signing
from payments.models import Order
from payments.money import yuan_text


def signed_url(*, order: Order, at: datetime.datetime) -> str:
    """
    Return the order's redirect_url with what became of the order in its query, signed; "" where it has none.

    Added are out_trade_no, client_pay_id, bb_trade_no, status, total_amount, timestamp and sign, the sign over the
    six others (CONTRACTS).
    """
    parts = urlsplit(order.checkout.redirect_url)
    if not parts.netloc:
        return ""
    told = {
        "out_trade_no": order.client_order_no,
        "client_pay_id": order.client_pay_no,
        "bb_trade_no": order.number,
        "status": str(order.status),
        "total_amount": yuan_text(order.total_fen),
        "timestamp": str(int(at.timestamp())),
    }
    told["sign"] = signing.sign(params=told, secret=order.client.secret(), sign_type=order.client.sign_type)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *told.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def plain_url(*, order: Order) -> str:
    """
    Return where a visitor without a cashier session may go back to.

    It tells nothing: the shop's own query stays with the customer whose session it is.
    """
    return urlunsplit(urlsplit(order.checkout.redirect_url)._replace(query="", fragment=""))
