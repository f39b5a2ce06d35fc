"""What every gateway's bill shows. It is tested beside `GatewayConformance`, on the same stage."""

import collections
import datetime
import re
from zoneinfo import ZoneInfo

from payments.gateways.base import Bill, BillEntryKind, Outcome
from tests.payments.gateways.conformance import Stage, refund_request
from tests.simulator.receiver import eventually

SHANGHAI = ZoneInfo("Asia/Shanghai")
COUNTS = {"missing": 2, "extra": 2, "amount": 1, "status": 1, "fee": 1}


class BillConformance:
    def test_the_bill_shows_payments_and_refunds_whoever_made_them(self, stage, start, paid):
        start()  # and is not paid
        refund = refund_request(paid, amount_fen=1000)
        stage.gateway.refund(refund)
        assert stage.gateway.query_refund(refund.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED
        by_console = stage.refund_at_console(paid.number, amount_fen=50)
        assert stage.gateway.query_refund(by_console, charge_number=paid.number).outcome is Outcome.SUCCEEDED

        bill = stage.gateway.download_bill(today())

        fee = stage.fee_fen
        assert facts(bill) == {
            (paid.number, ""): (BillEntryKind.PAYMENT, 201272, fee(201272)),
            (paid.number, refund.number): (BillEntryKind.REFUND, 1000, -fee(1000)),
            (paid.number, by_console): (BillEntryKind.REFUND, 50, -fee(50)),
        }
        assert {entry.trade_no for entry in bill.entries} == {stage.gateway.query_payment(paid.number).trade_no}
        assert {entry.at.astimezone(SHANGHAI).date() for entry in bill.entries} == {bill.day}

    def test_a_bill_fetched_again_is_the_same(self, stage, paid):
        first, again = stage.gateway.download_bill(today()), stage.gateway.download_bill(today())

        assert first == again
        assert re.fullmatch("[0-9a-f]{64}", first.sha256)

    def test_a_title_does_not_break_the_bill(self, stage, start):
        titles = ["逗号, 换行\n`和`引号\"'", ",`,`,`", "总交易单数,`1", "2026-01-01 00:00:00, 退款\t", "#交易合计：9笔"]
        numbers = [start(subject=title).number for title in titles]
        for number in numbers:
            stage.pay(number)

        bill = stage.gateway.download_bill(today())

        assert {(entry.number, entry.amount_fen) for entry in bill.entries} == {(number, 100) for number in numbers}

    def test_what_differs_from_the_book_is_what_the_bill_shows(self, stage, start):
        payments = [start(amount_fen=10_000 + each) for each in range(9)]
        for payment in payments:
            stage.pay(payment.number)
        stage.refund_at_console(payments[0].number, amount_fen=7)
        expected = facts(settled_bill(stage, rows=10))

        done = stage.spoil_bill(**COUNTS)

        assert collections.Counter(each["kind"] for each in done) == COUNTS
        for each in done:
            key, shows = (each["number"], each["refund_number"]), each["shows"]
            kind, amount_fen, fee_fen = expected.get(key, (BillEntryKind.PAYMENT, 0, 0))
            kind = BillEntryKind.REFUND if each["kind"] == "status" else kind
            expected[key] = kind, shows.get("amount_fen", amount_fen), shows.get("fee_fen", fee_fen)
            if each["kind"] == "missing":
                del expected[key]
        assert facts(stage.gateway.download_bill(today())) == expected

    def test_a_day_without_trade_has_an_empty_bill(self, gateway, paid):
        day = today() - datetime.timedelta(days=9)

        bill = gateway.download_bill(day)

        assert (bill.day, bill.entries) == (day, ())


def today() -> datetime.date:
    return datetime.datetime.now(SHANGHAI).date()


def facts(bill: Bill) -> dict[tuple[str, str], tuple[BillEntryKind, int, int]]:
    """What a bill says of each number."""
    found = {(each.number, each.refund_number): (each.kind, each.amount_fen, each.fee_fen) for each in bill.entries}
    assert len(found) == len(bill.entries)
    return found


def settled_bill(stage: Stage, *, rows: int) -> Bill:
    """Today's bill, once it has so many rows: some gateways take a moment to refund."""
    return eventually(
        lambda: bill if len((bill := stage.gateway.download_bill(today())).entries) == rows else None,
        what=f"{rows} rows",
    )
