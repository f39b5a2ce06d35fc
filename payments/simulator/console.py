"""The gateways' own consoles: what a merchant's staff do there, past the shop that asked for the payment."""

from payments.simulator import book, rooms
from payments.simulator.models import Refund, Trade
from payments.simulator.wechat.trades import TooManyRefunds

REFUSALS = {
    book.OtherTerms: "the number was used for another refund",
    book.NotRefundable: "it is not paid, or past refunding",
    book.RefundExceedsTrade: "more than is left",
    TooManyRefunds: "it has as many refunds as a trade may have",
}


class Refused(Exception):
    """The gateway does not make this refund; the text says why."""


def refund(*, trade: Trade, amount_fen: int, request_no: str = "") -> Refund:
    """
    Give money back, as staff would at the gateway itself; the merchant's server hears of it by a notification alone.

    :raises Refused: not paid, or more than is left
    """
    try:
        return rooms.of(trade.merchant.gateway).refund_at_console(trade, request_no=request_no, amount_fen=amount_fen)
    except tuple(REFUSALS) as error:
        raise Refused(REFUSALS[type(error)]) from error
