"""Compare the gateways' bills with our book now, as the schedule does by itself."""

import datetime
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import override

from payments.errors import OnetillError
from payments.models import GatewayAccount, GatewayBill
from payments.money import yuan_text
from payments.reconciliation import days, merchants, schedule
from payments.reconciliation import operations as reconciliation
from payments.reconciliation.states import BillStatus

COLUMNS = (
    ("day", "<12"), ("account", "<28"), ("payments", ">9"), ("yuan", ">14"), ("refunds", ">8"), ("yuan", ">12"),
    ("fees", ">10"), ("open", ">6"), ("waiting", ">8"),
)  # fmt: skip
DIFFERENCES, NOT_HAD = 1, 2


class Command(BaseCommand):
    help = (
        "Fetch the gateways' bills and compare them with our book: every day that is due, or one. Exit status 1 if "
        "differences are open, 2 if a bill could not be had."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="that day alone, of Shanghai's clock")
        parser.add_argument("--account", type=int, metavar="ID", help="the merchant of that gateway account alone")
        parser.add_argument("--again", action="store_true", help="fetch and compare anew what was compared before")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        with override("en"):
            wanted = list(_wanted(accounts=_accounts(options["account"]), day=_day(options["date"], at=at), at=at))
            bills = [
                self._reconcile(account=account, day=day, at=at, again=options["again"], place=f"{n}/{len(wanted)}")
                for n, (account, day) in enumerate(wanted, 1)
            ]
            self._conclude([bill for bill in bills if bill is not None], lost=bills.count(None))

    def _reconcile(
        self, *, account: GatewayAccount, day: datetime.date, at: datetime.datetime, again: bool, place: str
    ) -> GatewayBill | None:
        """Return the compared bill; none, if it could not be had."""
        self.stdout.write(f"{place:>9}  {day}  {account} …", ending="")
        self.stdout.flush()
        try:
            bill = reconciliation.reconcile(account_id=account.pk, day=day, at=at, again=again)
        except Exception as error:  # noqa: BLE001  one bill's trouble must not keep the others
            said = error.sentence() if isinstance(error, OnetillError) else str(error)
            self.stdout.write(self.style.ERROR(f" {type(error).__name__}: {said}"))
            return None
        if bill.status != BillStatus.MATCHED or bill.reason:
            self.stdout.write(self.style.ERROR(f" {bill.get_status_display()}: {bill.reason}"))
            return None
        self.stdout.write(f" {bill.payments + bill.refunds:,} lines")
        return bill

    def _conclude(self, bills: list[GatewayBill], *, lost: int) -> None:
        found = 0
        if bills:
            self.stdout.write(_line([name for name, _shape in COLUMNS]))
        for bill in bills:
            left = reconciliation.open_differences(bill=bill)
            is_open = left.get("open", 0)
            found += is_open
            cells = (
                bill.day.isoformat(), str(bill.account), f"{bill.payments:,}", yuan_text(bill.payments_fen),
                f"{bill.refunds:,}", yuan_text(bill.refunds_fen), yuan_text(bill.fees_fen), is_open,
                left.get("pooled", 0),
            )  # fmt: skip
            self.stdout.write(self.style.ERROR(_line(cells)) if is_open else _line(cells))
        if lost:
            raise CommandError(f"Bills that could not be had: {lost}. They stay due.", returncode=NOT_HAD)
        if found:
            raise CommandError(f"Open differences: {found}.", returncode=DIFFERENCES)
        self.stdout.write("No difference is open." if bills else "No bill is due.")


def _line(cells: Any) -> str:
    return " ".join(f"{cell!s:{shape}}" for cell, (_name, shape) in zip(cells, COLUMNS, strict=True)).rstrip()


def _accounts(account_id: int | None) -> list[GatewayAccount]:
    """
    Return the accounts whose merchants are meant: all that ever had a charge, or one.

    :raises CommandError: if there is no such account
    """
    if account_id is None:
        return [account for account in merchants.speakers() if schedule.first_day(account)]
    account = GatewayAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise CommandError(f"--account {account_id}: there is no such gateway account.", returncode=NOT_HAD)
    return [merchants.speaker_of(account)]


def _day(text: str | None, *, at: datetime.datetime) -> datetime.date | None:
    """:raises CommandError: if it is no day that is over"""
    if text is None:
        return None
    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=days.SHANGHAI).date()
    except ValueError as error:
        raise CommandError(f"--date {text} is no day such as 2018-06-15.", returncode=NOT_HAD) from error
    if day >= days.day_of(at):
        raise CommandError(
            f"--date {text}: there is no bill of that day yet, it is not over in Shanghai.", returncode=NOT_HAD
        )
    return day


def _wanted(
    *, accounts: list[GatewayAccount], day: datetime.date | None, at: datetime.datetime
) -> Iterator[tuple[GatewayAccount, datetime.date]]:
    """Yield the bills that are meant: those of a day, or all that are not compared yet or left differences."""
    if day is not None:
        yield from ((account, day) for account in accounts)
        return
    schedule.note_due_days(at=at)
    due = GatewayBill.objects.filter(
        account__in=accounts, next_try_at__isnull=False, day__gte=schedule.oldest_day(at)
    ).select_related("account")
    yield from ((bill.account, bill.day) for bill in due.order_by("day", "account"))
