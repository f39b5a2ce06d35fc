"""The simulator's own book, read out of its file: all of it, and nothing of ours in between."""

import contextlib
import dataclasses
import sqlite3
from collections import Counter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trade:
    """One trade as the gateway has it. `amount_fen` is what was paid, once it is."""

    app_id: str
    number: str  # out_trade_no: our charge's
    trade_no: str
    amount_fen: int
    status: str
    is_paid: bool
    is_known: bool = True  # to whoever asks: of what no payer has seen, Alipay says that there is no such trade

    @property
    def is_payable(self):
        return self.status in {"offered", "waiting"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GivenBack:
    """One refund as the gateway has it. `trouble` says why it came to nothing; without, its money may be on its way."""

    app_id: str
    charge_number: str
    number: str  # out_refund_no, out_request_no: our leg's
    amount_fen: int
    is_moved: bool
    is_waiting: bool = False  # no money moves until it is asked for once more
    trouble: str = ""


_TRADES = """
    SELECT merchant.app_id, trade.out_trade_no, trade.trade_no, trade.amount_fen, trade.status, trade.paid_at,
        trade.started_at
    FROM simulator_trade trade JOIN simulator_merchant merchant ON merchant.id = trade.merchant_id
"""


_REFUNDS = """
    SELECT merchant.app_id, trade.out_trade_no, refund.request_no, refund.amount_fen, refund.moved,
        refund.settles_at IS NULL, refund.trouble
    FROM simulator_refund refund JOIN simulator_trade trade ON trade.id = refund.trade_id
        JOIN simulator_merchant merchant ON merchant.id = trade.merchant_id
"""


class GatewayBook:
    def __init__(self, home):
        self._path = home / "book.sqlite3"

    def trades(self):
        return self._trades("")

    def of_order(self, number):
        """The trades of one of our orders, by the number that begins theirs."""
        return self._trades("WHERE trade.out_trade_no > ? AND trade.out_trade_no < ?", f"{number}_", f"{number}_~")

    def refunds(self):
        return [
            GivenBack(app_id=app_id, charge_number=charge_number, number=number, amount_fen=amount_fen,
                      is_moved=bool(moved), is_waiting=not moved and bool(is_waiting), trouble=trouble)
            for app_id, charge_number, number, amount_fen, moved, is_waiting, trouble in self._rows(_REFUNDS)
        ]  # fmt: skip

    def notices_under_way(self):
        return self._rows(
            "SELECT count(*) FROM simulator_notification WHERE state IN ('due', 'held', 'sending')"
        )[0][0]  # fmt: skip

    def notices(self):
        """How many notifications there are, by state."""
        return Counter(dict(self._rows("SELECT state, count(*) FROM simulator_notification GROUP BY state")))

    def deliveries(self):
        """How many attempts to tell us were made, by the status we answered (None: we did not)."""
        return Counter(dict(self._rows("SELECT status, count(*) FROM simulator_notificationdelivery GROUP BY status")))

    def _trades(self, where, *parameters):
        rows = self._rows(f"{_TRADES} {where}", *parameters)
        return [
            Trade(app_id=app_id, number=number, trade_no=trade_no, amount_fen=amount_fen, status=status,
                  is_paid=paid_at is not None, is_known=started_at is not None)
            for app_id, number, trade_no, amount_fen, status, paid_at, started_at in rows
        ]  # fmt: skip

    def _rows(self, sql, *parameters):
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(sql, parameters).fetchall()
