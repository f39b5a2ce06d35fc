import datetime
import json

import pytest
from django.contrib.auth.models import Group, Permission

from payments.clients.signing import sign
from tests.world import NOW, SECRET, TOKEN, make_client

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

BODY = {"total_amount": "5.00", "user_id": "442090", "timestamp": "1529035200"}  # NOW
HOME = "127.0.0.1"


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def shop():
    return make_client()


@pytest.fixture
def call(client):
    """Make a call that is right in everything but what the test says."""

    def call(
        path="/shop/pay",
        *,
        secret=SECRET,
        sign_type="MD5",
        authorization=f"Token {TOKEN}",
        drop=(),
        headers=None,
        **changes,
    ):
        body = {**BODY, **changes}
        body = {"sign": sign(params=body, secret=secret, sign_type=sign_type), **body}
        body = {name: value for name, value in body.items() if name not in drop}
        extra = {"HTTP_ACCEPT_LANGUAGE": "en", **(headers or {})}
        if authorization is not None:
            extra["HTTP_AUTHORIZATION"] = authorization
        return client.post(path, json.dumps(body), content_type="application/json", **extra)

    return call


def refused(answer):
    assert answer.json()["success"] is False
    assert answer.json()["result"] == {}
    return answer.status_code, answer.json()["result_code"]


def unix(seconds):
    return str(int((NOW + datetime.timedelta(seconds=seconds)).timestamp()))


def test_a_right_call_is_served_as_the_client(shop, call):
    answer = call()

    assert answer.status_code == 200
    assert answer.json()["result"] == {
        "total_amount": 500,
        "user_id": "442090",
        "note": "",
        "by": "shop",
        "name": "client-shop",
    }


def test_who_calls_costs_one_statement(shop, call, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert call().status_code == 200


class TestToken:
    @pytest.mark.parametrize(
        "authorization",
        [f"Token {TOKEN}", f"token  {TOKEN}", f"Bearer {TOKEN}", f"BEARER {TOKEN}", TOKEN, f" {TOKEN} "],
    )
    def test_a_token_travels_in_three_ways(self, shop, call, authorization):
        assert call(authorization=authorization).status_code == 200

    @pytest.mark.parametrize("authorization", [None, "", "   ", "Token", "Bearer "])
    def test_a_call_without_token_is_told_to_send_one(self, shop, call, authorization):
        answer = call(authorization=authorization)

        assert refused(answer) == (401, "token_missing")
        assert answer["WWW-Authenticate"] == 'Token realm="onetill"'
        assert "Authorization: Token" in answer.json()["result_message"]

    @pytest.mark.parametrize(
        "authorization", ["Token x", "Basic c2hvcDpzaG9w", f"Token {TOKEN}x", "Token 签", f"Token Token {TOKEN}"]
    )
    def test_an_unknown_token_is_refused(self, shop, call, authorization):
        answer = call(authorization=authorization)

        assert refused(answer) == (401, "token_unknown")
        assert "WWW-Authenticate" in answer

    def test_a_revoked_client_is_refused_as_if_unknown(self, shop, call):
        shop.is_active = False
        shop.save()

        assert refused(call()) == (401, "token_unknown")

    def test_a_revoked_service_account_is_refused_as_if_unknown(self, shop, call):
        shop.user.is_active = False
        shop.user.save()

        assert refused(call()) == (401, "token_unknown")

    def test_the_stored_digest_is_no_token(self, shop, call):
        assert refused(call(authorization=f"Token {shop.token_sha256}")) == (401, "token_unknown")


class TestPermission:
    def test_a_client_without_the_permission_is_told_its_name(self, call):
        make_client(permissions=())

        answer = call()

        assert refused(answer) == (403, "permission_missing")
        assert "checkout.point_pay" in answer.json()["result_message"]

    def test_a_permission_may_come_from_a_group(self, call):
        group = Group.objects.create(name="shops")
        group.permissions.set(Permission.objects.filter(codename="point_pay"))
        make_client(permissions=()).user.groups.add(group)

        assert call().status_code == 200

    def test_the_permission_of_another_app_is_another_permission(self, shop, call):
        shop.user.user_permissions.set(Permission.objects.exclude(codename="point_pay"))

        assert refused(call()) == (403, "permission_missing")

    def test_a_family_that_the_client_does_not_serve_is_closed(self, call):
        make_client(families=["payments"])

        assert refused(call()) == (403, "family_not_served")
        assert call("/payments/pay").status_code == 200


class TestNetwork:
    def test_a_listed_network_may_call(self, call):
        make_client(allowed_networks=["10.0.0.0/8", "127.0.0.0/8"])

        assert call().status_code == 200

    @pytest.mark.parametrize("headers", [{}, {"HTTP_X_FORWARDED_FOR": "10.0.0.1"}, {"REMOTE_ADDR": ""}])
    def test_another_network_may_not_whatever_it_claims(self, call, headers):
        make_client(allowed_networks=["10.0.0.0/8"])

        assert refused(call(headers=headers)) == (403, "network_not_allowed")

    def test_behind_a_trusted_proxy_the_forwarded_address_counts(self, call, settings):
        settings.TRUSTED_PROXIES = ["127.0.0.1/32"]
        make_client(allowed_networks=["203.0.113.0/24"])

        assert call(headers={"HTTP_X_FORWARDED_FOR": "203.0.113.7"}).status_code == 200
        assert refused(call(headers={"HTTP_X_FORWARDED_FOR": "203.0.113.7, 198.51.100.1"})) == (
            403,
            "network_not_allowed",
        )


class TestTimestamp:
    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_five_minutes_either_way_are_fine(self, shop, call, seconds):
        assert call(timestamp=unix(seconds)).status_code == 200

    @pytest.mark.parametrize("timestamp", ["1529035200000", "2018-06-15 12:00:00", 1529035200, 1529035200123])
    def test_three_forms_are_read(self, shop, call, timestamp):
        assert call(timestamp=timestamp).status_code == 200

    @pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400])
    def test_an_old_or_a_future_call_is_refused(self, shop, call, seconds):
        assert refused(call(timestamp=unix(seconds))) == (401, "timestamp_expired")

    @pytest.mark.parametrize("timestamp", ["yesterday", "2018-06-15", True, [1529035200], {}, "1529035200 "])
    def test_an_unreadable_one_is_named(self, shop, call, timestamp):
        answer = call(timestamp=timestamp)

        assert refused(answer) == (400, "invalid_field")
        assert answer.json()["result_message"].startswith("timestamp: ")

    @pytest.mark.parametrize("timestamp", ["", None])
    def test_a_missing_one_is_named(self, shop, call, timestamp):
        answer = call(timestamp=timestamp)

        assert refused(answer) == (400, "missing_field")
        assert answer.json()["result_message"].startswith("timestamp: ")
        assert refused(call(drop=["timestamp"])) == (400, "missing_field")


class TestSign:
    def test_a_missing_one_is_asked_for(self, shop, call):
        assert refused(call(drop=["sign"])) == (401, "sign_missing")
        assert refused(call(sign="")) == (401, "sign_missing")
        assert refused(call(sign=None)) == (401, "sign_missing")

    def test_upper_case_is_fine(self, shop, call):
        right = sign(params=BODY, secret=SECRET, sign_type="MD5")

        assert call(sign=right.upper()).status_code == 200

    @pytest.mark.parametrize("wrong", ["0" * 32, "x", 17, True, ["a"], "签"])
    def test_a_wrong_one_is_refused(self, shop, call, wrong):
        answer = call(sign=wrong)

        assert refused(answer) == (401, "sign_wrong")
        assert "WWW-Authenticate" in answer

    def test_another_clients_secret_is_refused(self, shop, call):
        make_client(name="other", secret="other-secret")

        assert refused(call(secret="other-secret")) == (401, "sign_wrong")

    def test_a_right_sign_over_other_fields_is_refused(self, shop, call):
        of_less = sign(params=BODY, secret=SECRET, sign_type="MD5")

        assert refused(call(sign=of_less, total_amount="6.00")) == (401, "sign_wrong")
        assert refused(call(sign=of_less, redirect_url="https://www.example.com")) == (401, "sign_wrong")
        assert refused(call(sign=of_less, drop=["user_id"])) == (401, "sign_wrong")

    def test_a_number_signs_as_its_text(self, shop, client):
        body = '{"total_amount": 5.00, "timestamp": 1529035200, "goods": [{"price": 1.50, "id": 1}], "sign": "%s"}'
        params = {"total_amount": "5.00", "timestamp": "1529035200", "goods": '[{"id":1,"price":1.50}]'}
        headers = {"HTTP_AUTHORIZATION": TOKEN}

        right = client.post(
            "/shop/pay", body % sign(params=params, secret=SECRET, sign_type="MD5"), "application/json", **headers
        )
        shortened = sign(params={**params, "total_amount": "5.0"}, secret=SECRET, sign_type="MD5")
        wrong = client.post("/shop/pay", body % shortened, "application/json", **headers)

        assert right.status_code == 200
        assert refused(wrong) == (401, "sign_wrong")

    def test_a_client_may_sign_by_hmac(self, call):
        make_client(sign_type="HMAC-SHA256")

        assert call(sign_type="HMAC-SHA256").status_code == 200
        assert refused(call(sign_type="MD5")) == (401, "sign_wrong")

    def test_a_query_string_is_signed_like_a_body(self, shop, client):
        params = {**BODY, "sign": sign(params=BODY, secret=SECRET, sign_type="MD5")}

        assert client.get("/shop/pay", params, HTTP_AUTHORIZATION=TOKEN).status_code == 200
        answer = client.get("/shop/pay", {**params, "total_amount": "6.00"}, HTTP_AUTHORIZATION=TOKEN)
        assert refused(answer) == (401, "sign_wrong")

    def test_a_body_that_cannot_be_read_is_the_first_thing_said(self, shop, client):
        answer = client.post("/shop/pay", '{"a": 1, "a": 1}', "application/json", HTTP_AUTHORIZATION=TOKEN)

        assert refused(answer) == (400, "duplicate_name")

    def test_a_view_may_ask_for_the_token_alone(self, shop, call):
        assert call("/payments/pay", drop=["sign", "timestamp"]).status_code == 200
        answer = call("/payments/pay", authorization=None)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "token_missing")


class TestUnsigned:
    @pytest.fixture(autouse=True)
    def shop(self):
        return make_client(unsigned_from=["127.0.0.0/8"])

    def test_from_a_listed_network_neither_sign_nor_timestamp_is_needed(self, call):
        assert call(drop=["sign", "timestamp"]).status_code == 200

    def test_the_token_is(self, call):
        assert refused(call(authorization=None, drop=["sign", "timestamp"])) == (401, "token_missing")

    def test_from_another_network_both_are(self, call):
        answer = call(drop=["sign", "timestamp"], headers={"REMOTE_ADDR": "203.0.113.7"})

        assert refused(answer) == (400, "missing_field")

    def test_a_call_that_was_forwarded_by_a_stranger_is_never_unsigned(self, call):
        for claimed in ("127.0.0.1", "", "203.0.113.7"):
            answer = call(drop=["sign"], headers={"HTTP_X_FORWARDED_FOR": claimed})

            assert refused(answer) == (401, "sign_missing")

    def test_behind_a_trusted_proxy_the_outside_is_not_the_proxys_network(self, call, settings):
        settings.TRUSTED_PROXIES = ["127.0.0.1/32"]

        answer = call(drop=["sign"], headers={"HTTP_X_FORWARDED_FOR": "127.0.0.1, 203.0.113.7"})

        assert refused(answer) == (401, "sign_missing")


class TestAlways200:
    @pytest.fixture(autouse=True)
    def shop(self):
        return make_client(always_http_200=True)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"sign": "x"}, "sign_wrong"),
            ({"timestamp": "1"}, "invalid_field"),
            ({"total_amount": True}, "invalid_field"),
        ],
    )
    def test_a_refusal_below_500_is_200_with_the_same_body(self, call, changes, code):
        answer = call(**changes)

        assert refused(answer) == (200, code)
        assert "WWW-Authenticate" not in answer

    def test_who_is_unknown_still_gets_401(self, call):
        assert refused(call(authorization="Token x")) == (401, "token_unknown")
