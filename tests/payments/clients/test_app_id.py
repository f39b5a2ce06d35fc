"""Document 004's calls name their client by `app_id`, and prove it by a token, or by timestamp and sign."""

import json
from urllib.parse import urlencode

import pytest
from django.db import IntegrityError, transaction

from payments.clients import queries
from payments.clients.signing import sign
from payments.models import ApiClient
from tests.calls import Text, body
from tests.world import NOW, SECRET, make_client

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

LOOK, BEYOND = "/english/look", "/english/beyond"
STAMP = {"timestamp": "1529035200"}  # NOW
TOKEN = {"HTTP_AUTHORIZATION": "Token app-token"}
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def make_app(name="app", **fields):
    return make_client(name=name, **{"families": ["english_app"], "app_id": 1, **fields})


@pytest.fixture
def app():
    return make_app()


@pytest.fixture
def other():
    return make_app("other", app_id=2, secret="other-secret")


def signed(params=None, secret=SECRET):
    params = STAMP | (params or {})
    return {**params, "sign": sign(params=params, secret=secret, sign_type="MD5")}


def send(client, params, path=LOOK, **extra):
    return client.post(path, body(params), content_type="application/json", **extra)


def by(answer):
    assert answer.status_code == 200, answer.json()
    return answer.json()["data"]["by"]


def refused(answer):
    told = answer.json()
    assert (told["code"] > 0, told["data"]) == (True, None)
    return answer.status_code, told["error_code"], told["msg"].partition(": ")[0]


class TestWithoutToken:
    @pytest.mark.parametrize(
        ("named", "who"),
        [
            ({}, "app"), ({"app_id": None}, "app"), ({"app_id": ""}, "app"), ({"app_id": "1"}, "app"),
            ({"app_id": Text("1")}, "app"), ({"app_id": "2"}, "other"), ({"app_id": Text("2")}, "other"),
        ],
        ids=str,
    )  # fmt: skip
    def test_the_app_id_names_the_client_and_1_is_that_of_calls_that_name_none(
        self, app, other, client, named, who, django_assert_num_queries
    ):
        params = signed(named, secret=SECRET if who == "app" else "other-secret")

        with django_assert_num_queries(1):
            answer = send(client, params)

        assert answer.json() == {"code": 0, "msg": "ok", "data": {"by": who, "name": f"client-{who}"}}

    def test_json_a_form_and_a_query_string_name_it_alike(self, app, other, client):
        params = signed({"app_id": "2"}, secret="other-secret")

        answers = [
            client.post(LOOK, json.dumps(params), content_type="application/json"),
            client.post(LOOK, urlencode(params), content_type="application/x-www-form-urlencoded"),
            client.get(LOOK, params),
        ]

        assert [by(answer) for answer in answers] == ["other", "other", "other"]

    @pytest.mark.parametrize(
        "app_id",
        ["x", "-1", "1.0", " 1", "１", "1" * 10, True, False, [], {}, [1], Text("1.5"), Text("-1"), Text("1e0")],
    )
    def test_what_is_no_app_id_is_refused_by_name(self, app, client, app_id):
        assert refused(send(client, signed({"app_id": app_id}))) == (400, "invalid_field", "app_id")

    @pytest.mark.parametrize(
        "hidden",
        [
            {"app_id": 3}, {"app_id": None}, {"is_active": False}, {"families": ["payments"]},
            {"is_active": False, "always_http_200": True}, {"families": ["payments"], "always_http_200": True},
        ],
        ids=str,
    )  # fmt: skip
    def test_whatever_hides_an_app_the_answer_is_one(self, client, hidden):
        make_app(**hidden)
        answer = send(client, signed())

        assert refused(answer) == (404, "app_unknown", "app_id")
        ApiClient.objects.all().delete()
        assert send(client, signed()).json() == answer.json()

    def test_a_service_account_that_is_switched_off_hides_it_too(self, app, client):
        app.user.is_active = False
        app.user.save()

        assert refused(send(client, signed())) == (404, "app_unknown", "app_id")

    @pytest.mark.parametrize("app_id", ["0", "00", "999999999"])
    def test_a_number_that_no_app_has_is_unknown(self, app, client, app_id):
        assert refused(send(client, signed({"app_id": app_id}))) == (404, "app_unknown", "app_id")

    def test_its_networks_hold(self, client):
        make_app(allowed_networks=["10.0.0.0/8"])

        assert refused(send(client, signed()))[:2] == (403, "network_not_allowed")

    def test_the_default_client_of_the_family_has_no_say(self, client):
        make_app(app_id=2, default_of="english_app")

        assert refused(send(client, signed())) == (404, "app_unknown", "app_id")

    def test_a_view_that_does_not_say_so_takes_no_app_id_for_a_client(self, app, client):
        make_client(families=["checkout"], app_id=2)

        answer = send(client, signed({"app_id": "2"}), "/shop/pay")

        assert (answer.status_code, answer.json()["result_code"]) == (401, "token_missing")


class TestProof:
    @pytest.mark.parametrize("path", [LOOK, BEYOND])
    def test_without_a_token_timestamp_and_sign_are_both_asked_for(self, app, client, path):
        timeless = {"sign": sign(params={"user_id": "1"}, secret=SECRET, sign_type="MD5"), "user_id": "1"}

        assert refused(send(client, {}, path)) == (400, "missing_field", "timestamp")
        assert refused(send(client, timeless, path)) == (400, "missing_field", "timestamp")
        assert refused(send(client, STAMP, path)) == (401, "sign_missing", "sign")
        assert by(send(client, signed(), path)) == "app"

    @pytest.mark.parametrize(
        ("params", "code", "field"),
        [
            (signed(secret="other-secret"), "sign_wrong", "sign"),
            (signed({"app_id": "1"}) | {"app_id": "2"}, "sign_wrong", "sign"),
            (signed() | {"user_id": "1"}, "sign_wrong", "sign"),
            (signed({"timestamp": "1529034899"}), "timestamp_expired", "timestamp"),
        ],
    )
    def test_both_must_be_right(self, app, other, client, params, code, field):
        assert refused(send(client, params)) == (401, code, field)

    @pytest.mark.parametrize("goods", [[{"good_id": "1&user_id=2"}], [{"a&b": 1}], '[{"good_id": "1&user_id=2"}]'])
    def test_a_value_with_a_separator_in_it_is_refused_by_name(self, app, client, goods):
        params = signed({"goods_list": goods})

        assert refused(send(client, params)) == (400, "invalid_field", "goods_list")
        assert by(send(client, params, **TOKEN)) == "app"

    def test_a_timestamp_cannot_be_swallowed(self, app, client):
        sent = signed({"platform": "ios", "timestamp": "1528000000"})
        split = {"platform": "ios&timestamp=1528000000", "sign": sent["sign"], "timestamp": ""}

        assert refused(send(client, sent)) == (401, "timestamp_expired", "timestamp")
        assert refused(send(client, split)) == (400, "missing_field", "timestamp")

    @pytest.mark.parametrize("path", [LOOK, BEYOND])
    def test_from_a_network_that_the_client_lists_nothing_is_asked_for(self, client, path):
        make_app(unsigned_from=["127.0.0.0/8"])

        assert by(send(client, {"note": "1&b=2"}, path)) == "app"
        assert refused(send(client, {}, path, **ELSEWHERE)) == (400, "missing_field", "timestamp")
        assert refused(send(client, STAMP, path, HTTP_X_FORWARDED_FOR="127.0.0.1")) == (401, "sign_missing", "sign")
        assert refused(send(client, {"app_id": "2"}, path)) == (404, "app_unknown", "app_id")


class TestToken:
    @pytest.mark.parametrize("named", [{}, {"app_id": ""}, {"app_id": "2"}, {"app_id": Text("2")}], ids=str)
    def test_a_token_suffices_and_its_client_calls(self, app, other, client, named):
        assert by(send(client, named, HTTP_AUTHORIZATION="Token other-token")) == "other"

    @pytest.mark.parametrize("unsigned_from", [[], ["127.0.0.0/8"]])
    @pytest.mark.parametrize("app_id", ["2", "3", "0"])
    def test_the_app_of_another_is_unknown_to_it(self, other, client, app_id, unsigned_from):
        make_app(unsigned_from=unsigned_from)

        assert refused(send(client, {"app_id": app_id}, **TOKEN)) == (404, "app_unknown", "app_id")

    def test_a_client_without_app_id_calls_by_its_token_and_names_none(self, client):
        make_app(app_id=None)

        assert by(send(client, {}, **TOKEN)) == "app"
        assert refused(send(client, {"app_id": "1"}, **TOKEN)) == (404, "app_unknown", "app_id")

    def test_what_is_no_app_id_is_refused_by_name(self, app, client):
        assert refused(send(client, {"app_id": "x"}, **TOKEN)) == (400, "invalid_field", "app_id")

    def test_a_wrong_token_is_not_made_good_by_a_sign(self, app, client):
        assert refused(send(client, signed(), HTTP_AUTHORIZATION="Token x"))[:2] == (401, "token_unknown")

    def test_timestamp_and_sign_are_right_where_they_are_sent(self, app, client):
        assert by(send(client, signed(), **TOKEN)) == "app"
        assert refused(send(client, {"sign": "x"}, **TOKEN)) == (401, "sign_wrong", "sign")
        assert refused(send(client, {"timestamp": "1528000000"}, **TOKEN)) == (401, "timestamp_expired", "timestamp")

    def test_a_view_may_ask_for_both_beside_it(self, app, client):
        assert refused(send(client, {}, BEYOND, **TOKEN)) == (400, "missing_field", "timestamp")
        assert by(send(client, signed(), BEYOND, **TOKEN)) == "app"


class TestAlways200:
    @pytest.fixture(autouse=True)
    def app(self):
        return make_app(always_http_200=True)

    @pytest.mark.parametrize(
        ("params", "extra", "code", "status"),
        [
            ({}, {}, "missing_field", 400),
            (STAMP, {}, "sign_missing", 401),
            (STAMP | {"sign": "x"}, {}, "sign_wrong", 401),
            (signed({"note": "&"}), {}, "invalid_field", 400),
            ({"app_id": "2"}, TOKEN, "app_unknown", 404),
        ],
    )
    def test_once_it_is_known_who_calls_a_refusal_is_200_with_the_same_body(self, client, params, extra, code, status):
        answer = send(client, params, **extra)

        assert refused(answer)[:2] == (200, code)
        assert answer.json()["code"] == status

    def test_a_call_of_nobody_has_its_status(self, client):
        assert refused(send(client, {"app_id": "2"}))[:2] == (404, "app_unknown")
        assert refused(send(client, {"app_id": "x"}))[:2] == (400, "invalid_field")
        assert refused(client.post(LOOK, "a=1&a=2", content_type="application/x-www-form-urlencoded"))[:2] == (
            400, "duplicate_name",
        )  # fmt: skip


class TestDatabase:
    def test_an_app_id_is_given_once(self, app):
        with pytest.raises(IntegrityError, match="app_id"), transaction.atomic():
            make_app("second")

        assert ApiClient.objects.get().name == "app"

    @pytest.mark.parametrize("app_id", [0, 1_000_000_000])
    def test_a_number_that_no_call_could_name_is_refused(self, app_id):
        with pytest.raises(IntegrityError, match="client_app_id_in_range"), transaction.atomic():
            make_app(app_id=app_id)

        assert not ApiClient.objects.exists()

    def test_by_app_id_tells_what_by_token_tells(self, app, django_assert_num_queries):
        with django_assert_num_queries(1):
            found = queries.by_app_id(app_id=1, family="english_app")

        same = queries.by_token(token="app-token")
        assert found == same == app
        assert (found.user, found.permission_names, found.app_id) == (same.user, same.permission_names, same.app_id)
        assert found.secret() == SECRET
        assert queries.by_app_id(app_id=1, family="checkout") is None
        assert queries.by_app_id(app_id=2, family="english_app") is None
