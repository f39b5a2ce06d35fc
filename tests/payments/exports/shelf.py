"""What the tests of exports ask for, and how they read it."""

import csv
import io

import openpyxl
from django.db.models import F
from django.utils import translation

from payments.exports import operations, writing
from payments.models import Export, ExportPart

VIEWS = ("view_order", "view_customer", "view_charge", "view_refund", "view_transfer", "view_auditrow")


def ask(user, *, model="payments.order", query="", file_format="csv", reason="month's end", language="en"):
    with translation.override(language):
        return operations.request(
            user=user, actor=f"user:{user.username}", model=model, query=query, file_format=file_format, reason=reason
        )


def written(user, **asked):
    """Ask and write."""
    export = ask(user, **asked)
    writing.write_due()
    export.refresh_from_db()
    assert export.error == ""
    return export


def failed(export):
    writing.write_due()
    export.refresh_from_db()
    assert (export.status, export.parts.count()) == ("failed", 0)
    return export.error


def file_of(export):
    parts = ExportPart.objects.filter(export=export).order_by(F("number"))
    return b"".join(bytes(part.body) for part in parts)


def csv_of(export):
    """Return its rows as a spreadsheet would read them."""
    text = file_of(export).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def table_of(export):
    """Return the rows of a CSV file, each as what stands under which heading."""
    head, *rows = csv_of(export)
    return [dict(zip(head, row, strict=True)) for row in rows]


def sheet_of(export):
    return openpyxl.load_workbook(io.BytesIO(file_of(export))).active


def all_exports():
    return list(Export.objects.order_by("pk").values_list("status", flat=True))
