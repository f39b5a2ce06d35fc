import csv

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from payments.customers import imports
from payments.models import Account, AuditRow, Customer, Transfer
from tests.threads import at_once
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db

HEADER = "user_id,ee_no,phone,real_name,points,balance\n"
TWO = HEADER + "1,a1,13800000001,林小满,500.00,0.5\n2,a2,,王一,,20\n"


def write(path, text, *, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return str(path)


def run(client, text):
    return imports.import_customers(client_id=client.pk, text=text.splitlines(keepends=True), actor="system")


def refused(report):
    return [(refusal.number, str(refusal.reason)) for refusal in report.refused]


def holds():
    return dict(Account.objects.filter(balance_fen__gt=0).values_list("customer__user_id", "balance_fen"))


def books():
    models = (Customer, Account, Transfer, AuditRow)
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_customers_are_imported_with_what_they_have(tmp_path, capsys, encoding, newline):
    make_client()

    call_command(
        "import_customers", write(tmp_path / "c.csv", TWO.replace("\n", newline), encoding=encoding), "--client", "shop"
    )

    assert list(Customer.objects.order_by("user_id").values_list("user_id", "ee_no", "phone", "real_name")) == [
        ("1", "a1", "13800000001", "林小满"),
        ("2", "a2", "", "王一"),
    ]
    accounts = Account.objects.order_by("customer__user_id", "-kind").values_list("kind", "balance_fen")
    assert list(accounts) == [("points", 50_000), ("balance", 50), ("points", 0), ("balance", 2_000)]
    assert capsys.readouterr().out.splitlines() == [
        "2 lines: 2 new, 0 changed, 0 as before, 0 refused",
        "points granted: 500.00",
        "balance granted: 20.50",
    ]


def test_importing_twice_grants_once_and_writes_nothing_more():
    client = make_client()
    run(client, TWO)
    before = books()

    report = run(client, TWO)

    assert (report.made, report.changed, report.unchanged, report.refused) == (0, 0, 2, [])
    assert report.granted_fen == {"points": 0, "balance": 0}
    assert books() == before


def test_every_grant_of_an_import_has_its_audit_row():
    run(make_client(), TWO)

    audited = AuditRow.objects.filter(action="customer.grant").values_list("detail__reference", flat=True)
    assert sorted(audited) == sorted(Transfer.objects.values_list("reference", flat=True))
    assert len(audited) == 3


def test_a_changed_line_changes_the_customer_and_grants_what_is_new():
    client = make_client()
    run(client, HEADER + "1,a1,,Lin,5,\n")

    report = run(client, HEADER + "1,a1,138,Lin,5,7\n")

    assert (report.made, report.changed) == (0, 1)
    assert report.granted_fen == {"points": 0, "balance": 700}
    assert Customer.objects.get().phone == "138"


def test_another_opening_value_is_refused_and_changes_nothing_of_that_customer():
    client = make_client()
    run(client, TWO)
    before = books()

    report = run(client, HEADER + "1,changed,,Lin,500.01,0.5\n")

    assert [number for number, _reason in refused(report)] == [2]
    assert books() == before


BROKEN = {
    ",a,,,1,": "user_id",
    "3,a,,,1": "5",
    "3,a,,,1,,": "7",
    "3,a,,,1.234,": "points",
    "3,a,,,-1,": "points",
    '3,a,,,"1,000.00",': "points",
    "3,a,,,,1e3": "balance",
    f"{'3' * 65},a,,,1,": "user_id",
    "3,a\0,,,1,": "ee_no",
    '3,"a,,,1,': "",
    f"3,{'a' * 200_000},,,1,": "",
    "1,again,,,1,": "user_id",
}


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_is_refused_alone(line):
    client = make_client()
    text = HEADER + "1,a1,,,5,\n" + line + "\n\n2,a2,,,7,\n"

    report = run(client, text)

    assert [number for number, _reason in refused(report)] == [3]
    assert BROKEN[line] in refused(report)[0][1]
    assert (report.lines, report.made) == (3, 2)
    assert holds() == {"1": 500, "2": 700}


def test_a_line_that_only_the_database_refuses_is_refused_alone():
    client = make_client()
    rich = make_customer(client=client, user_id="50")
    Account.objects.filter(customer=rich).update(balance_fen=2**63 - 1)

    report = run(client, HEADER + "".join(f"{n},,,,1,\n" for n in range(100)))

    assert [number for number, _reason in refused(report)] == [52]
    assert "out of range" in refused(report)[0][1]
    assert (report.made, report.granted_fen["points"]) == (99, 9_900)
    assert not Transfer.objects.filter(credit=f"points:{rich.pk}").exists()


def test_a_dry_run_keeps_nothing_and_tells_what_would_be(tmp_path, capsys):
    make_client()
    path = write(tmp_path / "c.csv", TWO + "3,,,,x,\n")

    with pytest.raises(CommandError, match="1 lines were refused"):
        call_command("import_customers", path, "--client", "shop", "--dry-run")

    assert books() == [[], [], [], []]
    assert capsys.readouterr().out.splitlines()[:2] == [
        "Dry run: nothing was kept.",
        "3 lines: 2 new, 0 changed, 0 as before, 1 refused",
    ]


def test_refused_lines_are_reported_into_a_file(tmp_path):
    make_client()
    path, report = write(tmp_path / "c.csv", HEADER + "1,,,,x,\n2,,,,,\n"), tmp_path / "refused.csv"

    with pytest.raises(CommandError):
        call_command("import_customers", path, "--client", "shop", "--refused", str(report))

    rows = list(csv.reader(report.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["line", "reason"]
    assert [(number, reason.partition(":")[0]) for number, reason in rows[1:]] == [("2", "points")]
    assert Customer.objects.get().user_id == "2"


def test_gbk_is_refused_whole(tmp_path):
    make_client()
    path = write(tmp_path / "c.csv", TWO, encoding="gbk")

    with pytest.raises(CommandError, match="not UTF-8; it may be GBK"):
        call_command("import_customers", path, "--client", "shop")

    assert not Customer.objects.exists()


def test_one_line_that_is_not_utf8_is_refused_alone(tmp_path):
    make_client()
    path = tmp_path / "c.csv"
    path.write_bytes(TWO.encode() + "3,,,张三,,\n".encode("gbk"))

    with pytest.raises(CommandError, match="1 lines were refused"):
        call_command("import_customers", str(path), "--client", "shop")

    assert Customer.objects.count() == 2


@pytest.mark.parametrize("header", ["", "user_id;ee_no\n", "user_id,ee_no,phone,real_name,points\n", "1,a,,,5,\n"])
def test_a_file_without_the_columns_is_refused(tmp_path, header):
    make_client()

    with pytest.raises(CommandError, match="user_id,ee_no,phone,real_name,points,balance"):
        call_command("import_customers", write(tmp_path / "c.csv", header + "1,a,,,5,\n"), "--client", "shop")

    assert not Customer.objects.exists()


def test_columns_may_stand_in_any_order():
    run(make_client(), "points,balance,real_name,phone,ee_no,user_id\n5,,林,138,a1,1\n")

    assert list(Customer.objects.values_list("user_id", "ee_no", "real_name")) == [("1", "a1", "林")]
    assert holds() == {"1": 500}


def test_a_missing_file_is_told(tmp_path):
    make_client()

    with pytest.raises(CommandError, match="No such file"):
        call_command("import_customers", str(tmp_path / "none.csv"), "--client", "shop")


def test_a_batch_takes_as_many_statements_for_a_thousand_as_for_one(django_assert_num_queries):
    client = make_client()

    with django_assert_num_queries(13):
        run(client, HEADER + "1,,,,1,\n")
    with django_assert_num_queries(13):
        run(client, HEADER + "".join(f"{n},,,,1,1\n" for n in range(1_000, 2_000)))

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(balance_fen) FROM payments_account")
        assert cursor.fetchone() == (2_002, 200_100)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_imported_by_four_at_once_is_granted_once():
    client = make_client()
    text = HEADER + "".join(f"{n},,,,1,1\n" for n in range(1_500))

    reports = at_once(4, lambda n: run(client, text))

    assert [report.refused for report in reports] == [[]] * 4
    assert sum(report.made for report in reports) == 1_500
    assert sum(report.granted_fen["points"] for report in reports) == 150_000
    assert Transfer.objects.count() == 3_000
    assert set(Account.objects.values_list("balance_fen", flat=True)) == {100}
