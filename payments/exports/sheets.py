"""
The two kinds of files. Both grow in a temporary file, so that memory holds a few rows at a time.

A spreadsheet takes a text that begins like a formula for one, and whoever wrote an order's title may have meant it to.
In CSV such a text gets an apostrophe before it; in a workbook every text is marked as text.
"""

import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from payments.exports.models import Format

PART_BYTES = 1024 * 1024
FORMULA_BEGINS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
CELL_LENGTH_MAX = 32_767  # of a workbook
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
ROWS_MAX: dict[str, int] = {Format.CSV: 1_000_000, Format.XLSX: 200_000}

Cell = str | int | None


class Sheet(Protocol):
    def head(self, labels: Sequence[str]) -> None: ...

    def add(self, cells: Sequence[Cell]) -> None: ...

    def parts(self) -> Iterator[bytes]:
        """End it, and yield it in pieces."""

    def discard(self) -> None:
        """Leave nothing behind, whether it was ended or not."""


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet computes it."""
    if text.startswith(FORMULA_BEGINS) or text.lstrip().startswith(FORMULA_BEGINS):
        return f"'{text}"
    return text


class CsvSheet:
    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  `discard` closes it
        self._text = io.TextIOWrapper(self._file, encoding="utf-8", errors="replace", newline="", write_through=True)
        self._text.write("\ufeff")  # by which Excel knows the encoding
        self._rows = csv.writer(self._text)

    def head(self, labels: Sequence[str]) -> None:
        self.add(labels)

    def add(self, cells: Sequence[Cell]) -> None:
        self._rows.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])

    def parts(self) -> Iterator[bytes]:
        self._text.flush()
        return _parts_of(self._file)

    def discard(self) -> None:
        self._text.close()


class XlsxSheet:
    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  `discard` closes it
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet(_("Rows"))

    def head(self, labels: Sequence[str]) -> None:
        self._sheet.freeze_panes = "A2"
        for number, label in enumerate(labels, start=1):
            self._sheet.column_dimensions[get_column_letter(number)].width = max(14, 2 * len(label))
        cells = [self._text(label) for label in labels]
        for cell in cells:
            cell.font = Font(bold=True)
        self._sheet.append(cells)

    def add(self, cells: Sequence[Cell]) -> None:
        self._sheet.append([self._text(cell) if isinstance(cell, str) else cell for cell in cells])

    def parts(self) -> Iterator[bytes]:
        self._book.save(self._file)
        return _parts_of(self._file)

    def discard(self) -> None:
        """A sheet that was not ended lies on the disk for as long as the process lives."""
        writer = self._sheet._writer  # noqa: SLF001  openpyxl has no other name for it
        if writer is not None and not self._sheet.closed:
            self._sheet.close()
            writer.cleanup()
        self._file.close()

    def _text(self, text: str) -> Any:
        cell = WriteOnlyCell(self._sheet, NOT_IN_XML.sub("\ufffd", text)[:CELL_LENGTH_MAX])
        cell.data_type = "s"
        return cell


SHEETS: dict[str, type[Sheet]] = {Format.CSV: CsvSheet, Format.XLSX: XlsxSheet}


def _parts_of(file: Any) -> Iterator[bytes]:
    file.seek(0)
    while part := file.read(PART_BYTES):
        yield part
