"""Import a client's customers, with their opening points and balance, out of a CSV file."""

import csv
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.clients.models import ApiClient
from payments.customers import imports, sheets
from payments.customers.imports import Report
from payments.errors import OnetillError
from payments.money import yuan_text

ACTOR = "command:import_customers"
PROGRESS_SECONDS = 1


class Command(BaseCommand):
    help = (
        f"Import customers out of a UTF-8 CSV file with the columns {', '.join(sheets.COLUMNS)}; points and balance "
        "are opening values in yuan, granted once however often the file is imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--client", required=True, help="the client's name")
        parser.add_argument("--dry-run", action="store_true", help="check every line, keep nothing")
        parser.add_argument("--refused", type=Path, help="write refused lines there instead of to the output")

    def handle(self, *args: Any, **options: Any) -> None:
        client = ApiClient.objects.filter(name=options["client"]).first()
        if client is None:
            raise CommandError(f"There is no client {options['client']}.")
        try:
            total = check_encoding(options["file"])
            # What is not UTF-8 in a line reads as lone surrogates, for which that line alone is refused.
            with options["file"].open(encoding="utf-8-sig", errors="surrogateescape") as text:
                self._started = self._told = time.monotonic()
                report = imports.import_customers(
                    client_id=client.pk, text=text, actor=ACTOR, dry_run=options["dry_run"],
                    progress=lambda report: self._tell(report, total=total),
                )  # fmt: skip
        except OSError as error:
            raise CommandError(str(error)) from error
        except OnetillError as error:
            raise CommandError(error.sentence()) from error
        self._summarize(report, dry_run=options["dry_run"])
        self._list_refused(report, path=options["refused"])
        if report.refused:
            raise CommandError(f"{len(report.refused)} lines were refused.")

    def _tell(self, report: Report, *, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            per_second = round(report.lines / (now - self._started))
            self.stderr.write(
                f"{report.lines:,} of about {total:,} lines, {len(report.refused):,} refused, {per_second:,}/s"
            )

    def _summarize(self, report: Report, *, dry_run: bool) -> None:
        if dry_run:
            self.stdout.write("Dry run: nothing was kept.")
        self.stdout.write(
            f"{report.lines:,} lines: {report.made:,} new, {report.changed:,} changed, {report.unchanged:,} as before, "
            f"{len(report.refused):,} refused"
        )
        for kind, granted_fen in report.granted_fen.items():
            self.stdout.write(f"{kind} granted: {yuan_text(granted_fen)}")

    def _list_refused(self, report: Report, *, path: Path | None) -> None:
        rows = [("line", "reason"), *((refusal.number, refusal.reason) for refusal in report.refused)]
        if path is not None:
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(rows)
        elif report.refused:
            csv.writer(self.stdout, lineterminator="\n").writerows(rows)


def check_encoding(path: Path) -> int:
    """
    Return how many lines a file has.

    :raises CommandError: if its text is not UTF-8 as a whole: where no more lines read as UTF-8 beyond ASCII than not
    """
    lines = good = bad = 0
    with path.open("rb") as file:
        for line in file:
            lines += 1
            if line.isascii():
                continue
            try:
                line.removeprefix(b"\xef\xbb\xbf").decode()
                good += lines > 1
            except UnicodeDecodeError:
                bad += 1
    if bad > good:
        raise CommandError(
            f"{path} is not UTF-8; it may be GBK, as Excel saves CSV in Chinese. Save it as “CSV UTF-8” and try again."
        )
    return max(lines - 1, 0)
