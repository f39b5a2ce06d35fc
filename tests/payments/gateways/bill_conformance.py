"""What every gateway's bill shows. It is tested beside `GatewayConformance`, on the same stage."""

import datetime
import re
from typing import Any
from zoneinfo import ZoneInfo

from payments.gateways.base import Bill, BillEntry, BillEntryKind, Outcome
from tests.payments.gateways.conformance import Stage, refund_request
from tests.simulator.receiver import eventually

SHANGHAI = ZoneInfo("Asia/Shanghai")
COUNTS = {"missing": 2, "extra": 2, "amount": 1, "status": 1, "fee": 1}


class BillConformance:
    def test_the_bill_shows_payments_and_refunds_whoever_made_them(self, stage, start, paid):
        waiting = start()
        refund = refund_request(paid, amount_fen=1000)
        stage.gateway.refund(refund)
        assert stage.gateway.query_refund(refund.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED
        by_console = stage.refund_at_console(paid.number, amount_fen=50)
        assert stage.gateway.query_refund(by_console, charge_number=paid.number).outcome is Outcome.SUCCEEDED

        bill = stage.gateway.download_bill(today())

        shown = {(entry.kind, entry.number, entry.refund_number): entry for entry in bill.entries}
        assert {key: entry.amount_fen for key, entry in shown.items()} == {
            (BillEntryKind.PAYMENT, paid.number, ""): 201272,
            (BillEntryKind.REFUND, paid.number, refund.number): 1000,
            (BillEntryKind.REFUND, paid.number, by_console): 50,
        }
        assert len(bill.entries) == 3
        assert waiting.number not in {entry.number for entry in bill.entries}
        assert {entry.trade_no for entry in bill.entries} == {stage.gateway.query_payment(paid.number).trade_no}
        assert {entry.at.astimezone(SHANGHAI).date() for entry in bill.entries} == {bill.day}
        assert [entry.fee_fen for entry in shown.values()] == [stage.fee_fen(201272), *map(stage.fee_back, (1000, 50))]

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
        before = {entry_key(entry): entry for entry in settled_bill(stage, rows=10).entries}

        done = stage.spoil_bill(missing=2, extra=2, amount=1, status=1, fee=1)

        after = {entry_key(entry): entry for entry in stage.gateway.download_bill(today()).entries}
        by_kind = {kind: [each for each in done if each["kind"] == kind] for kind in COUNTS}
        assert {kind: len(found) for kind, found in by_kind.items()} == COUNTS
        gone, came = before.keys() - after.keys(), after.keys() - before.keys()
        assert gone == {(each["number"], each["refund_number"]) for each in by_kind["missing"]}
        assert came == {(each["number"], each["refund_number"]) for each in by_kind["extra"]}
        assert {key: after[key].amount_fen for key in came} == {
            (each["number"], ""): each["shows"]["amount_fen"] for each in by_kind["extra"]
        }
        changed = {key: after[key] for key in before.keys() & after.keys() if after[key] != before[key]}
        assert changed.keys() == {
            (each["number"], each["refund_number"]) for kind in ("amount", "status", "fee") for each in by_kind[kind]
        }
        assert changed[row_key(by_kind["amount"][0])].amount_fen == by_kind["amount"][0]["shows"]["amount_fen"]
        assert changed[row_key(by_kind["status"][0])].kind is BillEntryKind.REFUND
        assert abs(changed[row_key(by_kind["fee"][0])].fee_fen) == abs(by_kind["fee"][0]["shows"]["fee_fen"])

    def test_a_day_without_trade_has_an_empty_bill(self, gateway, paid):
        day = today() - datetime.timedelta(days=9)

        bill = gateway.download_bill(day)

        assert (bill.day, bill.entries) == (day, ())


def today() -> datetime.date:
    return datetime.datetime.now(SHANGHAI).date()


def entry_key(entry: BillEntry) -> tuple[str, str]:
    return entry.number, entry.refund_number


def row_key(difference: dict[str, Any]) -> tuple[str, str]:
    return difference["number"], difference["refund_number"]


def settled_bill(stage: Stage, *, rows: int) -> Bill:
    """Today's bill, once it has so many rows: some gateways take a moment to refund."""
    return eventually(
        lambda: bill if len((bill := stage.gateway.download_bill(today())).entries) == rows else None,
        what=f"{rows} rows",
    )
