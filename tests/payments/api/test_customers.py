"""The customers API over HTTP: what a client may do to its own customers, and what nobody may."""

import json
import time
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.db import connection, connections
from django.test import Client

from payments.clients import signing
from payments.customers.grants import Direction, GrantCommand, grant
from payments.ledger.accounts import Kind
from payments.models import Account, AuditRow, Customer, Transfer
from payments.wire.parsers import parse_object
from tests.web_process import eventually
from tests.world import SECRET, TOKEN, make_client, make_customer

pytestmark = pytest.mark.django_db

GRANT = {"grant_no": "g1", "kind": "points", "direction": "in", "amount": 131.28, "reason": "春节"}


def make_shop(**fields):
    return make_client(permissions=("grant_value",), **fields)


def call(method, path, params=None, *, token=TOKEN, secret=SECRET, **changes):
    """Sign `params` as CONTRACTS says and send them: as the body or, for GET, as the query string."""
    given = {"timestamp": str(int(time.time())), **(params or {})}
    as_read = parse_object(json.dumps(given).encode())  # the sign is over a number's own text
    sent = given | {"sign": signing.sign(params=as_read, secret=secret, sign_type="MD5")} | changes
    headers = {"Authorization": f"Token {token}"}
    if method == "get":
        return Client().get(path, sent, headers=headers)
    return getattr(Client(), method)(path, json.dumps(sent), content_type="application/json", headers=headers)


def data(answer):
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["status_code"] == 0
    return body["data"]


def refusal(answer):
    body = answer.json()
    assert (body["status_code"], body["data"]) == (1, {})
    return answer.status_code, body["error_code"]


def books():
    return [list(model.objects.order_by("pk").values()) for model in (Customer, Account, Transfer, AuditRow)]


@pytest.mark.parametrize("path", ["/api/customers/442090/", "/api/customers/442090"])
def test_a_customer_is_made_changed_and_shown(path):
    make_shop()

    made = data(call("put", path, {"ee_no": "a09999", "phone": "138", "real_name": "林小满"}))
    changed = data(call("put", path, {"ee_no": "a09999"}))

    assert made == {
        "user_id": "442090",
        "ee_no": "a09999",
        "phone": "138",
        "real_name": "林小满",
        "is_frozen": False,
        "points": 0,
        "balance": 0,
    }
    assert changed == made | {"phone": "", "real_name": ""}
    assert data(call("get", path)) == changed
    row = AuditRow.objects.first()
    assert (row.actor, row.subject) == ("client:shop", f"customer:{Customer.objects.get().pk}")
    assert row.request_id


def test_points_and_balance_are_told_in_yuan():
    make_customer(client=make_shop(), points_fen=13_128, balance_fen=500)

    shown = data(call("get", "/api/customers/442090/"))

    assert (shown["points"], shown["balance"]) == (131.28, 5)


def test_a_grant_is_given_once_however_often_it_is_sent():
    make_customer(client=make_shop())

    answers = [data(call("post", "/api/customers/442090/grants/", GRANT)) for _ in range(3)]

    assert (
        answers
        == [
            {
                "grant_no": "g1",
                "kind": "points",
                "direction": "in",
                "amount": 131.28,
                "points": 131.28,
                "balance": 0,
            }
        ]
        * 3
    )
    assert Transfer.objects.count() == 1


def test_a_grant_with_another_body_under_the_same_number_is_refused():
    make_customer(client=make_shop())
    data(call("post", "/api/customers/442090/grants/", GRANT))
    before = books()

    answer = call("post", "/api/customers/442090/grants/", GRANT | {"amount": 131.29})

    assert refusal(answer) == (409, "grant_no_reused")
    assert books() == before


def test_more_than_there_is_is_not_taken():
    make_customer(client=make_shop(), points_fen=13_127)
    before = books()

    answer = call("post", "/api/customers/442090/grants/", GRANT | {"direction": "out"})

    assert refusal(answer) == (422, "not_enough")
    assert books() == before


def test_a_client_without_the_permission_grants_nothing_but_may_look():
    make_customer(client=make_client())
    before = books()

    assert refusal(call("post", "/api/customers/442090/grants/", GRANT)) == (403, "permission_missing")
    assert call("get", "/api/customers/442090/").status_code == 200
    assert books() == before


BAD_GRANTS = [
    ({"grant_no": ""}, "grant_no"),
    ({"grant_no": None}, "grant_no"),
    ({"grant_no": "a b"}, "grant_no"),
    ({"grant_no": "a" * 37}, "grant_no"),
    ({"grant_no": "a" * 65}, "grant_no"),
    ({"kind": "gold"}, "kind"),
    ({"kind": ["points"]}, "kind"),
    ({"direction": "up"}, "direction"),
    ({"amount": 0}, "amount"),
    ({"amount": -1}, "amount"),
    ({"amount": 1.234}, "amount"),
    ({"amount": "1e400"}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": "１２"}, "amount"),
    ({"amount": 1234567890123}, "amount"),
    ({"reason": "two\nlines"}, "reason"),
    ({"reason": "a" * 201}, "reason"),
    ({"reason": {"a": 1}}, "reason"),
]


@pytest.mark.parametrize(("change", "field"), BAD_GRANTS, ids=lambda value: str(value)[:30])
def test_a_grant_that_makes_no_sense_names_its_field_and_moves_nothing(change, field):
    make_customer(client=make_shop(), points_fen=500)
    before = books()

    answer = call("post", "/api/customers/442090/grants/", GRANT | change)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{field}: ")
    assert books() == before


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("get", "/api/customers/442090/", {}),
        ("post", "/api/customers/442090/grants/", GRANT),
        ("get", "/api/customers/442090/statement/", {}),
    ],
)
def test_another_clients_customer_is_unknown(method, path, params):
    make_customer(client=make_client(name="mall"))
    make_shop()
    before = books()

    assert refusal(call(method, path, params)) == (404, "customer_unknown")
    assert books() == before


def test_saving_under_another_clients_user_id_makes_a_customer_of_ones_own():
    other = make_customer(client=make_client(name="mall"), points_fen=500)
    make_shop()

    assert data(call("put", "/api/customers/442090/", {"ee_no": "mine"}))["points"] == 0
    other.refresh_from_db()
    assert other.ee_no == "a09999"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token": ""}, (401, "token_missing")),
        ({"token": "other"}, (401, "token_unknown")),
        ({"sign": ""}, (401, "sign_missing")),
        ({"sign": "0" * 32}, (401, "sign_wrong")),
        ({"secret": "other"}, (401, "sign_wrong")),
        ({"timestamp": "1529035200"}, (401, "timestamp_expired")),
        ({"ee_no": "changed"}, (401, "sign_wrong")),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["get", "put"])
def test_every_call_needs_token_time_and_sign(method, changes, expected):
    make_customer(client=make_shop())
    before = books()

    assert refusal(call(method, "/api/customers/442090/", **changes)) == expected
    assert books() == before


@pytest.mark.parametrize("user_id", ["a" * 65, "a\nb", " a", "\u202ea"])
def test_a_user_id_that_cannot_be_kept_is_refused(user_id):
    make_shop()

    assert refusal(call("put", f"/api/customers/{quote(user_id)}/")) == (400, "invalid_field")
    assert not Customer.objects.exists()


@pytest.mark.parametrize("path", ["/api/customers/a%00b/", "/api/customers/", "/api/customers/1/other"])
def test_an_address_that_is_none_is_told_in_the_envelope(path):
    make_shop()

    assert refusal(call("get", path)) == (404, "unknown_path")


def test_a_user_id_may_be_any_text():
    make_shop()

    assert data(call("put", f"/api/customers/{quote('员工 7?#%')}/"))["user_id"] == "员工 7?#%"
    assert data(call("get", f"/api/customers/{quote('员工 7?#%')}"))["user_id"] == "员工 7?#%"


def give(client, number, *, kind=Kind.POINTS, direction=Direction.IN, amount_fen=100):
    command = GrantCommand(grant_no=number, kind=kind, direction=direction, amount_fen=amount_fen)
    grant(client_id=client.pk, user_id="442090", command=command, actor="client:shop")


def statement(*, settled=True, **params):
    """Return a page of the statement, once nothing else on the server keeps it back: other tests run beside us."""
    if settled:
        eventually(_nothing_is_kept_back)
    return data(call("get", "/api/customers/442090/statement/", {name: str(value) for name, value in params.items()}))


def _nothing_is_kept_back():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(xact_id), '0') < pg_snapshot_xmin(pg_current_snapshot()) FROM payments_transfer"
        )
        return cursor.fetchone()[0]


def numbers(page):
    return [entry["grant_no"] for entry in page["results"]]


def cursor(link):
    query = parse_qs(urlsplit(link).query)
    assert not {"sign", "timestamp"} & query.keys()
    return query["cursor"][0]


@pytest.mark.django_db(transaction=True)
class TestStatement:
    def test_it_lists_what_came_and_went_newest_first(self):
        make_customer(client=(client := make_shop()))
        give(client, "in", amount_fen=13_128)
        give(client, "out", direction=Direction.OUT, amount_fen=28)
        give(client, "money", kind=Kind.BALANCE)

        page = statement()

        assert [(e["grant_no"], e["kind"], e["direction"], e["amount"]) for e in page["results"]] == [
            ("money", "balance", "in", 1),
            ("out", "points", "out", 0.28),
            ("in", "points", "in", 131.28),
        ]
        assert {(e["purpose"], e["order_number"]) for e in page["results"]} == {("grant", "")}
        assert (page["next"], page["previous"]) == (None, None)

    def test_it_can_be_asked_for_one_account_or_one_direction(self):
        make_customer(client=(client := make_shop()))
        give(client, "in")
        give(client, "money", kind=Kind.BALANCE)
        give(client, "out", direction=Direction.OUT)

        assert numbers(statement(kind="points")) == ["out", "in"]
        assert numbers(statement(kind="balance")) == ["money"]
        assert numbers(statement(direction="in")) == ["money", "in"]
        assert numbers(statement(kind="points", direction="out")) == ["out"]

    def test_pages_follow_each_other_there_and_back(self):
        make_customer(client=(client := make_shop()))
        for n in range(7):
            give(client, str(n))

        first = statement(page_size=3)
        second = statement(page_size=3, cursor=cursor(first["next"]))
        third = statement(page_size=3, cursor=cursor(second["next"]))
        back = statement(page_size=3, cursor=cursor(third["previous"]))

        assert [numbers(page) for page in (first, second, third)] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
        assert third["next"] is None
        assert back["results"] == second["results"]

    def test_a_page_takes_three_statements(self, django_assert_num_queries):
        make_customer(client=(client := make_shop()))
        for n in range(7):
            give(client, str(n))

        with django_assert_num_queries(3):  # the client, the customer, the page
            statement(settled=False, page_size=5)

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({"kind": "gold"}, (400, "invalid_field")),
            ({"cursor": "cD1hYmM="}, (400, "unreadable_cursor")),  # p=abc
            ({"cursor": "/w=="}, (400, "unreadable_cursor")),
            ({"cursor": "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ=="}, (400, "unreadable_cursor")),  # p=9…
        ],
    )
    def test_a_filter_or_cursor_that_is_none_is_refused(self, params, expected):
        make_customer(client=make_shop())

        assert refusal(call("get", "/api/customers/442090/statement/", params)) == expected

    def test_no_page_misses_a_row_that_commits_late(self):
        """A transaction numbers its row first and commits last: read by id, the row would slip behind the cursor."""
        customer = make_customer(client=(client := make_shop()))
        late = connections.create_connection("default")
        try:
            late.set_autocommit(False)
            with late.cursor() as slow:
                slow.execute(
                    "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
                    f"VALUES ('points_issued', 'points:{customer.pk}', 1, 'grant', 'grant:1:late')"
                )
            give(client, "quick")
            give(client, "quicker")
            seen = statement(settled=False, page_size=1)
            late.commit()
        finally:
            late.close()

        after = statement(page_size=10)

        assert numbers(seen) == []
        assert numbers(after) == ["quicker", "quick", "late"]

    def test_reading_from_the_newest_seen_on_finds_every_later_row_once(self):
        make_customer(client=(client := make_shop()))
        for n in range(3):
            give(client, str(n))
        first = statement(page_size=2)
        second = statement(page_size=2, cursor=cursor(first["next"]))
        for n in range(3, 6):
            give(client, str(n))

        newer = statement(page_size=2, cursor=cursor(second["previous"]))
        newest = statement(page_size=2, cursor=cursor(newer["previous"]))

        assert numbers(newer) == ["2", "1"]
        assert numbers(newest) == ["4", "3"]


def test_control_by_id_alone_a_late_row_would_be_missed(transactional_db):
    customer = make_customer(client=(client := make_shop()))
    late = connections.create_connection("default")
    try:
        late.set_autocommit(False)
        with late.cursor() as slow:
            slow.execute(
                "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
                f"VALUES ('points_issued', 'points:{customer.pk}', 1, 'grant', 'grant:1:late') RETURNING id"
            )
            late_id = slow.fetchone()[0]
        give(client, "quick")
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(id) FROM payments_transfer")
            newest_seen = cursor.fetchone()[0]
        late.commit()
    finally:
        late.close()

    assert late_id < newest_seen  # whoever goes on from the newest id seen never gets to it
    assert Transfer.objects.filter(pk=late_id).exists()
