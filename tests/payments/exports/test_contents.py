"""What is in a file: exactly what its person's list shows, in plain values that no spreadsheet computes."""

import datetime
import hashlib

import pytest
from django.utils import timezone, translation

from payments import audit
from payments.exports import sheets
from payments.models import Customer, Order
from payments.transactions import transaction
from tests.payments.exports.shelf import VIEWS, csv_of, file_of, sheet_of, table_of, written
from tests.world import make_client, make_customer, make_staff, place_by_balance, place_order

pytestmark = pytest.mark.django_db

AT = datetime.datetime(2018, 6, 15, 4, 0, tzinfo=datetime.UTC)
HEAD = [
    "number", "client", "family", "kind", "client's order number", "client's payment number", "title", "user id",
    "employee number", "real name", "phone", "status", "money flag", "total (yuan)", "of it shipping (yuan)",
    "points (yuan)", "balance (yuan)", "cash (yuan)", "tender", "goods refunded (yuan)", "shipping refunded (yuan)",
    "created at", "paid at", "closed at",
]  # fmt: skip


@pytest.fixture
def shop():
    client = make_client()
    client.customer = make_customer(client=client, balance_fen=100_000, phone="13800138000", real_name="李雷")
    return client


@pytest.fixture
def lin(shop):
    return make_staff("lin", "export_rows", "view_personal_data", *VIEWS)


def paid(shop, **fields):
    """An order of 100.00 yuan of now, paid from the balance at noon of document 000's day."""
    order = place_by_balance(customer=shop.customer, at=timezone.now(), **fields)
    Order.objects.filter(pk=order.pk).update(finished_at=AT)
    order.refresh_from_db()
    return order


def expected(order):
    created = timezone.localtime(order.created_at).isoformat(timespec="seconds")
    return [
        order.number, "shop", "Payments", "goods", "B1", "", "title", "442090", "a09999", "李雷", "13800138000",
        "paid in full", "", "100.00", "5.00", "0.00", "100.00", "0.00", "balance", "0.00", "0.00", created,
        "2018-06-15T12:00:00+08:00", "",
    ]  # fmt: skip


def test_a_csv_file_holds_what_the_list_shows_to_the_letter(shop, lin):
    order = paid(shop)

    export = written(lin)

    assert file_of(export).startswith(b"\xef\xbb\xbfnumber,client,")
    assert csv_of(export) == [HEAD, expected(order)]
    assert export.rows_done == 1
    assert (export.bytes, export.sha256) == (len(file_of(export)), hashlib.sha256(file_of(export)).hexdigest())


def test_a_workbook_holds_the_same_and_every_number_of_an_order_as_text(shop, lin):
    order = paid(shop)

    head, row = sheet_of(written(lin, file_format="xlsx")).iter_rows()

    assert [cell.value for cell in head] == HEAD
    assert [cell.value or "" for cell in row] == expected(order)
    assert (row[0].value, row[0].data_type) == (order.number, "s")


def test_a_file_is_in_the_language_in_which_it_was_asked_for(shop, lin):
    paid(shop)

    head, row = csv_of(written(lin, language="zh-hans"))

    assert (head[0], head[11]) == ("编号", "状态")
    with translation.override("zh-hans"):
        assert row[11] == Order.objects.get().get_status_display()


def test_the_newest_row_comes_first_and_every_row_once_over_many_batches(shop, lin, monkeypatch):
    monkeypatch.setattr("payments.exports.writing.BATCH_ROWS", 2)
    orders = [place_order(client=shop, number=f"T{n}") for n in range(5)]

    rows = table_of(written(lin))

    assert [row["client's order number"] for row in rows] == ["T4", "T3", "T2", "T1", "T0"]
    assert len(orders) == 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["B2", "B1"]),
        ("total_fen_from=100.01", ["B2"]),
        ("total_fen_to=100", ["B1"]),
        ("q=B1", ["B1"]),
        ("tender=points", []),
        ("tender=balance&total_fen_to=100", ["B1"]),
        ("status__exact=closed", []),
        ("created_at_to=2018-06-15", []),
        ("total_fen_from=x", []),
        ("p=7&o=1", ["B2", "B1"]),
    ],
)
def test_filters_hold_as_on_the_page(shop, lin, query, found):
    paid(shop)
    paid(shop, number="B2", total_fen=10_001)

    export = written(lin, query=query)

    assert [row["client's order number"] for row in table_of(export)] == found


def test_an_open_end_is_told_as_one(shop, lin):
    told = [written(lin, query=f"total_fen_{end}=5").filters for end in ("from", "to")]

    assert [filters.partition(";")[0] for filters in told] == ["total (yuan): 5 –", "total (yuan): – 5"]


def test_filters_are_kept_in_words(shop, lin):
    export = written(lin, query="total_fen_from=5&total_fen_to=21.40&tender=balance&created_at_from=2026-11-01"
                                "&created_at_to=2026-11-03&q=B1")  # fmt: skip

    assert export.filters == (
        "search: B1; created at: 2026-11-01 – 2026-11-03; total (yuan): 5 – 21.40; tender: balance; Looked for from "
        "Nov. 1, 2026 to Nov. 3, 2026. For others, choose the days in the filters."
    )


# --- scope and masks


def test_who_sees_one_client_gets_its_rows_alone(shop, lin):
    rival = make_client(name="rival")
    make_customer(client=rival)
    place_order(client=shop, number="OURS")
    place_order(client=rival, number="THEIRS")
    theirs = make_staff("wang", "export_rows", *VIEWS, clients=[rival])

    assert [row["client's order number"] for row in table_of(written(theirs))] == ["THEIRS"]
    assert [row["client's order number"] for row in table_of(written(lin))] == ["THEIRS", "OURS"]
    assert table_of(written(theirs, query=f"client={shop.pk}")) == []


def test_persons_are_behind_stars_for_who_may_not_know_them(shop, lin):
    paid(shop)
    wang = make_staff("wang", "export_rows", *VIEWS)

    (row,) = table_of(written(wang))
    (customer,) = table_of(written(wang, model="payments.customer"))
    (seen,) = table_of(written(lin, model="payments.customer"))

    assert (row["real name"], row["phone"]) == ("李**", "138****8000")
    assert (customer["real name"], customer["phone"]) == ("李**", "138****8000")
    assert (seen["real name"], seen["phone"]) == ("李雷", "13800138000")


# --- what a spreadsheet would compute

FORMULAE = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "  =1+1", " \t-1", "＝1+1", "＋1", "－1", "＠SUM(A1)", "　=1",
    '=HYPERLINK("http://evil.example","x")', "=cmd|'/c calc'!A0", "\xa0=1",
]  # fmt: skip


@pytest.mark.parametrize("evil", FORMULAE, ids=repr)
def test_no_text_becomes_a_formula_in_csv(evil):
    assert sheets.harmless(evil) == f"'{evil}"


@pytest.mark.parametrize("text", ["", "title", "a=1", "1-1", "'=1", "李雷 =1", "138****8000"], ids=repr)
def test_other_texts_stay_as_they_are(text):
    assert sheets.harmless(text) == text


@pytest.mark.parametrize("evil", FORMULAE, ids=repr)
def test_titles_and_names_and_remarks_are_text_in_both_kinds_of_files(shop, lin, evil):
    Customer.objects.update(real_name=evil, ee_no=evil, phone=evil[:32])
    paid(shop, title=evil)

    (row,) = table_of(written(lin))
    _head, cells = sheet_of(written(lin, file_format="xlsx")).iter_rows()

    assert [row[name] for name in ("title", "real name", "employee number", "phone")] == [f"'{evil}"] * 3 + [
        f"'{evil[:32]}"
    ]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert cells[HEAD.index("title")].value.strip() == evil.replace("\r", "\n").strip()


def test_what_a_workbook_cannot_hold_is_replaced(lin):
    with transaction():
        audit.record(actor="user:lin", action="x", subject="\x01\x0b\ufffe#N/A", long="長" * 40_000)

    _head, row = sheet_of(written(lin, model="payments.auditrow", query="action=x", file_format="xlsx")).iter_rows()

    assert row[3].value == "\ufffd\ufffd\ufffd#N/A"
    assert len(row[5].value) == 32_767


def test_a_number_is_a_number(lin, shop):
    _head, row = sheet_of(written(lin, model="payments.transfer", file_format="xlsx")).iter_rows()

    assert (type(row[0].value), row[0].data_type) == (int, "n")
    assert (row[3].value, row[3].data_type) == ("1000.00", "s")
