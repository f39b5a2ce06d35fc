"""Calls of documents that name no token are the family's default client's, and prove it by their sign alone."""

import json
from urllib.parse import urlencode

import pytest
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction

from payments.clients import queries
from payments.clients.signing import sign
from payments.models import ApiClient
from tests.world import NOW, SECRET, make_client

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

FORM = "application/x-www-form-urlencoded"
BODY = {"total_amount": "5.00", "user_id": "41840909af844632885424fbc20cae79", "note": "刘德华 +%="}
BOUNDARY = "partner-boundary"


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def make_default(name="app", **fields):
    return make_client(name=name, **{"families": ["partner_orders"], "default_of": "partner_orders", **fields})


@pytest.fixture
def app():
    return make_default()


def signed(params, secret=SECRET, sign_type="MD5"):
    return {**params, "sign": sign(params=params, secret=secret, sign_type=sign_type)}


def send(client, params, path="/partner/pay", **extra):
    return client.post(path, urlencode(params), content_type=FORM, **extra)


def refused(answer):
    assert answer.json()["code"] == 0
    assert answer.json()["result"] == {}
    return answer.status_code, answer.json()["error_code"]


def in_parts(params):
    lines = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{params[name]}' for name in params]
    return "\r\n".join([*lines, f"--{BOUNDARY}--"])


class TestServing:
    def test_a_signed_call_without_token_is_the_default_clients(self, app, client, django_assert_num_queries):
        make_client(name="other", families=["partner_orders"])

        with django_assert_num_queries(1):
            answer = send(client, signed(BODY))

        assert answer.status_code == 200
        assert answer.json()["result"] == {
            "total_amount": 500,
            "user_id": BODY["user_id"],
            "note": "刘德华 +%=",
            "by": "app",
            "name": "client-app",
        }

    @pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
    def test_a_form_parts_and_json_have_the_same_sign(self, client, sign_type):
        make_default(sign_type=sign_type)
        params = signed(BODY, sign_type=sign_type)

        answers = [
            client.post("/partner/pay", urlencode(params), content_type=FORM),
            client.generic("POST", "/partner/pay", in_parts(params), f"multipart/form-data; boundary={BOUNDARY}"),
            client.post("/partner/pay", json.dumps(params), content_type="application/json"),
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 200]

    def test_a_token_names_another_client(self, app, client):
        make_client(name="other", families=["partner_orders"], secret="other-secret")
        token = {"HTTP_AUTHORIZATION": "Token other-token"}

        assert send(client, signed(BODY, "other-secret"), **token).json()["result"]["by"] == "other"
        assert refused(send(client, signed(BODY), **token)) == (401, "sign_wrong")
        assert refused(send(client, signed(BODY), HTTP_AUTHORIZATION="Token x")) == (401, "token_unknown")

    def test_without_a_default_client_a_token_is_asked_for(self, client):
        make_client(name="other", families=["partner_orders"])

        answer = send(client, signed(BODY))

        assert refused(answer) == (401, "token_missing")
        assert answer["WWW-Authenticate"] == 'Token realm="onetill"'

    def test_a_family_whose_document_names_a_token_has_no_use_for_a_default_client(self, client):
        make_client(default_of="checkout")
        body = signed({"total_amount": "5.00", "timestamp": "1529035200"})

        answer = client.post("/shop/pay", json.dumps(body), content_type="application/json")

        assert (answer.status_code, answer.json()["result_code"]) == (401, "token_missing")

    @pytest.mark.parametrize("off", ["client", "account"])
    def test_a_default_client_that_is_switched_off_serves_nobody(self, app, client, off):
        row = app if off == "client" else app.user
        row.is_active = False
        row.save()

        assert refused(send(client, signed(BODY))) == (401, "token_missing")

    def test_its_networks_hold(self, client):
        make_default(allowed_networks=["10.0.0.0/8"])

        assert refused(send(client, signed(BODY))) == (403, "network_not_allowed")


class TestSign:
    @pytest.mark.parametrize("path", ["/partner/pay", "/partner/look"])
    def test_a_call_without_sign_is_refused_even_where_the_view_asks_for_none(self, app, client, path):
        assert refused(send(client, BODY, path)) == (401, "sign_missing")
        assert refused(send(client, {**BODY, "sign": ""}, path)) == (401, "sign_missing")
        assert refused(send(client, {}, path)) == (401, "sign_missing")

    @pytest.mark.parametrize("path", ["/partner/pay", "/partner/look"])
    @pytest.mark.parametrize(
        "changes", [{"total_amount": "6.00"}, {"extra": "1"}, {"sign": "0" * 32}, {"note": "刘德华  %="}]
    )
    def test_a_call_with_a_sign_that_does_not_fit_is_refused(self, app, client, path, changes):
        assert refused(send(client, {**signed(BODY), **changes}, path)) == (401, "sign_wrong")

    def test_the_sign_of_another_client_does_not_fit(self, app, client):
        make_client(name="other", families=["partner_orders"], secret="other-secret")

        assert refused(send(client, signed(BODY, "other-secret"))) == (401, "sign_wrong")

    def test_where_the_view_asks_for_the_token_alone_a_token_is_enough(self, app, client):
        assert send(client, BODY, "/partner/look", HTTP_AUTHORIZATION="Token app-token").status_code == 200

    @pytest.mark.parametrize("values", [("5.00", "5.0"), ("5", "5.00"), ("1 2", "1+2"), ("%2B", "+")])
    def test_the_text_of_a_value_is_what_is_signed(self, app, client, values):
        asked, sent = values
        params = signed({"note": asked})

        assert send(client, params, "/partner/look").status_code == 200
        assert refused(send(client, {**params, "note": sent}, "/partner/look")) == (401, "sign_wrong")

    def test_no_sign_fits_a_name_with_a_separator_in_it(self, app, client):
        params = signed({"a": "1&b=2"})
        token = {"HTTP_AUTHORIZATION": "Token app-token"}

        assert send(client, params, "/partner/look", **token).status_code == 200
        split = {"a=1&b": "2", "sign": params["sign"]}
        assert refused(send(client, split, "/partner/look", **token)) == (401, "sign_wrong")
        assert refused(send(client, split, "/partner/look")) == (401, "sign_wrong")

    @pytest.mark.parametrize("path", ["/partner/pay", "/partner/look"])
    def test_a_value_with_a_separator_in_it_is_refused_by_name_where_the_sign_is_all(self, app, client, path):
        answer = send(client, signed({"total_amount": "5.00", "note": "1&b=2"}), path)

        assert refused(answer) == (400, "invalid_field")
        assert answer.json()["errors"] == {"note": [answer.json()["msg"]]}

    def test_a_separator_is_let_be_where_a_token_or_the_network_proves_the_call(self, app, client):
        params = {**BODY, "note": "1&b=2"}

        assert send(client, signed(params), HTTP_AUTHORIZATION="Token app-token").json()["result"]["note"] == "1&b=2"
        ApiClient.objects.update(unsigned_from=["127.0.0.0/8"])
        assert send(client, params).json()["result"]["note"] == "1&b=2"

    def test_a_timestamp_is_asked_for_where_the_view_does(self, app, client):
        assert refused(send(client, signed(BODY), "/partner/timed")) == (400, "missing_field")
        assert refused(send(client, signed({**BODY, "timestamp": "1"}), "/partner/timed")) == (400, "invalid_field")
        assert send(client, signed({**BODY, "timestamp": "1529035200"}), "/partner/timed").status_code == 200

    def test_from_a_network_that_the_client_lists_no_sign_is_needed_and_from_no_other(self, client):
        make_default(unsigned_from=["127.0.0.0/8"])

        assert send(client, BODY).json()["result"]["by"] == "app"
        assert refused(send(client, BODY, REMOTE_ADDR="203.0.113.7")) == (401, "sign_missing")
        assert refused(send(client, BODY, HTTP_X_FORWARDED_FOR="127.0.0.1")) == (401, "sign_missing")


class TestAlways200:
    @pytest.fixture(autouse=True)
    def app(self):
        return make_default(always_http_200=True)

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            (BODY, "sign_missing"),
            ({**BODY, "sign": "x"}, "sign_wrong"),
            (signed({"total_amount": "-1"}), "invalid_field"),
        ],
    )
    def test_a_refusal_is_200_with_the_same_body(self, client, params, code):
        assert refused(send(client, params)) == (200, code)

    def test_a_body_that_cannot_be_read_or_is_of_no_format_is_too(self, client):
        assert refused(client.post("/partner/pay", "a=1&a=2", content_type=FORM)) == (200, "duplicate_name")
        assert refused(client.post("/partner/pay", "<a/>", content_type="text/xml")) == (200, "unsupported_media_type")

    def test_the_wrong_method_is_too(self, client):
        assert refused(client.put("/partner/pay", urlencode(signed(BODY)), content_type=FORM)) == (
            200,
            "method_not_allowed",
        )


class TestDatabase:
    def test_two_default_clients_of_a_family_are_refused(self, app):
        with pytest.raises(IntegrityError, match="client_default_of_family_once"), transaction.atomic():
            make_default("second")

        assert ApiClient.objects.get().name == "app"

    def test_any_number_of_clients_are_nobodys_default(self):
        make_client()
        make_client(name="second")

        assert ApiClient.objects.filter(default_of="").count() == 2

    def test_a_default_client_that_does_not_serve_the_family_is_refused(self):
        with pytest.raises(IntegrityError, match="client_default_serves_family"), transaction.atomic():
            make_default(families=["checkout"])

        assert not ApiClient.objects.exists()

    def test_the_form_names_the_field(self, app):
        app.families = ["checkout"]
        with pytest.raises(ValidationError) as unserved:
            app.full_clean()
        second = make_client(name="second", families=["partner_orders"])
        second.default_of = "partner_orders"
        with pytest.raises(ValidationError) as taken:
            second.full_clean()

        assert unserved.value.message_dict.keys() == {"default_of"}
        assert [error.code for error in taken.value.error_dict[NON_FIELD_ERRORS]] == [None]
        assert "client_default_of_family_once" not in str(taken.value)

    def test_by_default_tells_what_by_token_tells(self, app, django_assert_num_queries):
        with django_assert_num_queries(1):
            found = queries.by_default(family="partner_orders")

        same = queries.by_token(token="app-token")
        assert found == same == app
        assert (found.user, found.permission_names) == (same.user, same.permission_names)
        assert found.secret() == SECRET
        assert queries.by_default(family="checkout") is None
