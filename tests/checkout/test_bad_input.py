"""Every call that must be refused: a clear error in the envelope, the field named, and nothing moved."""

import io
import json
import time

import pytest

from payments.models import AuditRow, Charge, Order, OrderTransition, Transfer
from tests.calls import Text, body, post, signed
from tests.checkout.test_documents import PAY
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db

PAY_PATH = "/api/checkout/pay/"


@pytest.fixture
def shop():
    shop = make_client()
    shop.customer = make_customer(client=shop, points_fen=13_128)
    return shop


@pytest.fixture(autouse=True)
def nothing_moves(request):
    """Whatever a refused call was, no row of money or order appears and the customer's points stay."""
    if "shop" not in request.fixturenames:
        yield
        return
    shop = request.getfixturevalue("shop")
    models = (Order, Charge, Transfer, OrderTransition, AuditRow)
    before = [model.objects.count() for model in models]
    yield
    assert [model.objects.count() for model in models] == before
    assert points_fen(shop.customer) == 13_128


def refused(answer, *, code, field=""):
    assert answer["success"] is False
    assert answer["result"] == {}
    assert answer["result_code"] == code
    assert field in answer["result_message"]
    assert len(answer["result_message"]) > 3


def changed(**changes):
    return {**PAY, **changes}


AMOUNTS_REFUSED = [
    Text("-1"), Text("21.441"), Text("1e400"), Text("1E2"), Text("1234567890123"), Text("12345678901.23"), "NaN",
    "Infinity", "１２", " 5", "5 ", "0x10", "", "abc", "1,000", "+5", True, False, None, [], {}, "5.", ".5", "-0",
]  # fmt: skip


def test_a_call_that_breaks_off_is_refused_although_what_came_is_whole(client, shop):
    content = body(signed(PAY)).encode()
    sent = {"CONTENT_LENGTH": str(len(content) + 1), "wsgi.input": io.BytesIO(content)}
    headers = {"authorization": "Token shop-token"}

    answer = client.post(PAY_PATH, content, content_type="application/json", headers=headers, **sent)

    assert answer.status_code == 400
    refused(answer.json(), code="cut_short")


@pytest.mark.parametrize("value", AMOUNTS_REFUSED, ids=repr)
@pytest.mark.parametrize("field", ["total_amount", "shipping_fee"])
def test_what_is_no_amount_of_yuan_is_refused(client, shop, field, value):
    status, answer = post(client, PAY_PATH, signed(changed(**{field: value})))

    assert status == 400
    refused(answer, code="missing_field" if value is None else "invalid_field", field=field)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(client, shop, text):
    status, answer = post(client, PAY_PATH, body(changed(total_amount=Text(text))))

    assert status == 400
    refused(answer, code="not_a_number")


def test_a_total_of_zero_is_refused(client, shop):
    status, answer = post(client, PAY_PATH, signed(changed(total_amount=Text("0"), shipping_fee=Text("0"))))

    assert status == 400
    refused(answer, code="invalid_field", field="total_amount")


def test_shipping_above_the_total_is_refused(client, shop):
    status, answer = post(client, PAY_PATH, signed(changed(shipping_fee=Text("2144.01"))))

    assert status == 400
    refused(answer, code="invalid_field", field="shipping_fee")


@pytest.mark.parametrize("path", [PAY_PATH, "/api/checkout/pay-detail/"])
@pytest.mark.parametrize("empty", ["", None])
def test_both_numbers_empty_are_refused(client, shop, path, empty):
    status, answer = post(client, path, signed(changed(out_trade_no=empty, client_pay_id=empty)))

    assert status == 400
    refused(answer, code="invalid_field", field="out_trade_no")


@pytest.mark.parametrize("field", ["total_amount", "shipping_fee", "user_id", "ee_no"])
def test_a_missing_parameter_is_named(client, shop, field):
    params = {name: value for name, value in PAY.items() if name != field}

    status, answer = post(client, PAY_PATH, signed(params))

    assert status == 400
    refused(answer, code="missing_field", field=field)


def test_an_unknown_user_and_a_wrong_employee_number_look_alike(client, shop):
    unknown = post(client, PAY_PATH, signed(changed(user_id="1")))
    wrong = post(client, PAY_PATH, signed(changed(ee_no="a00000")))

    assert unknown == wrong
    assert unknown[0] == 404
    refused(unknown[1], code="customer_unknown")


def test_a_customer_of_another_client_is_unknown(client, shop):
    other = make_client(name="mall")
    make_customer(client=other, user_id="7", ee_no="b")

    status, _answer = post(client, PAY_PATH, signed(changed(user_id="7", ee_no="b")))

    assert status == 404


class TestNumbersUsedAgain:
    @pytest.mark.parametrize(
        "change",
        [
            {"total_amount": Text("2145")},
            {"shipping_fee": Text("6")},
            {"client_pay_id": "another"},
            {"out_trade_no": "another"},
            {"redirect_url": ""},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_with_other_contents_they_are_a_conflict(self, client, change):
        customer = make_customer(client=make_client(), points_fen=13_128)
        post(client, PAY_PATH, signed(PAY))
        before = (Order.objects.count(), Transfer.objects.count(), points_fen(customer))

        status, answer = post(client, PAY_PATH, signed(changed(**change)))

        assert status == 409
        refused(answer, code="number_reused", field="client_pay_id" if "out_trade_no" in change else "out_trade_no")
        assert (Order.objects.count(), Transfer.objects.count(), points_fen(customer)) == before

    def test_for_another_user_they_are_a_conflict(self, client):
        shop = make_client()
        make_customer(client=shop)
        make_customer(client=shop, user_id="2", ee_no="b")
        post(client, PAY_PATH, signed(PAY))

        status, _answer = post(client, PAY_PATH, signed(changed(user_id="2", ee_no="b")))

        assert status == 409
        assert Order.objects.count() == 1


class TestWhoCalls:
    @pytest.mark.parametrize(
        ("sign", "code"),
        [("", "sign_missing"), (None, "sign_missing"), ("0" * 32, "sign_wrong"), (Text("1"), "sign_wrong")],
    )
    def test_a_missing_or_wrong_sign_is_refused(self, client, shop, sign, code):
        status, answer = post(client, PAY_PATH, {**signed(PAY), "sign": sign})

        assert status == 401
        refused(answer, code=code, field="sign")

    def test_the_sign_of_another_client_is_refused(self, client, shop):
        make_client(name="mall", secret="mall-secret")

        status, answer = post(client, PAY_PATH, signed(PAY, secret="mall-secret"))

        assert status == 401
        refused(answer, code="sign_wrong")

    def test_a_sign_over_other_fields_is_refused(self, client, shop):
        status, answer = post(client, PAY_PATH, {**signed(PAY), "total_amount": Text("1")})

        assert status == 401
        refused(answer, code="sign_wrong")

    def test_a_number_is_signed_as_its_text(self, client, shop):
        params = signed(PAY)

        status, _answer = post(client, PAY_PATH, {**params, "shipping_fee": Text("5.0")})

        assert status == 401

    @pytest.mark.parametrize("offset", [-301, -86_400, 302, 86_400])
    def test_an_old_or_future_timestamp_is_refused(self, client, shop, offset):
        status, answer = post(client, PAY_PATH, signed(PAY, timestamp=str(int(time.time()) + offset)))

        assert status == 401
        refused(answer, code="timestamp_expired", field="timestamp")

    @pytest.mark.parametrize("timestamp", ["yesterday", "-1", "1e20", "2018-13-01 00:00:00", "99999999999999999999"])
    def test_an_unreadable_timestamp_is_refused(self, client, shop, timestamp):
        status, answer = post(client, PAY_PATH, signed(PAY, timestamp=timestamp))

        assert status == 400
        refused(answer, code="invalid_field", field="timestamp")

    def test_a_missing_token_is_asked_for(self, client, shop):
        response = client.post(PAY_PATH, data=body(signed(PAY)), content_type="application/json")

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Token")
        refused(response.json(), code="token_missing")

    def test_an_unknown_token_is_refused(self, client, shop):
        status, answer = post(client, PAY_PATH, signed(PAY), token="nobody")

        assert status == 401
        refused(answer, code="token_unknown")

    def test_a_revoked_token_is_refused_at_once(self, client, shop):
        type(shop).objects.update(is_active=False)

        status, _answer = post(client, PAY_PATH, signed(PAY))

        assert status == 401

    def test_a_missing_permission_is_refused(self, client, shop):
        shop.user.user_permissions.clear()

        status, answer = post(client, PAY_PATH, signed(PAY))

        assert status == 403
        refused(answer, code="permission_missing")

    def test_a_network_that_is_not_listed_is_refused(self, client, shop):
        type(shop).objects.update(allowed_networks=["10.0.0.0/8"])

        status, answer = post(client, PAY_PATH, signed(PAY))

        assert status == 403
        refused(answer, code="network_not_allowed")


REDIRECTS_REFUSED = [
    "https://evil.example/", "//www.example.com", "//evil.example", "javascript:alert(1)", "https:evil.example",
    "https://www.example.com@evil.example/", "https://user:pw@www.example.com/", "https://evil.example#www.example.com",
    "https://www.example.com\\@evil.example", "https://www.example.com.evil.example/", "ftp://www.example.com/",
    "https:///www.example.com", "/relative", "https://www.example.com:port/", "https://www.example.com/\r\nX: y",
    "https://ｗww.example.com/", "data:text/html,x",
]  # fmt: skip


@pytest.mark.parametrize("url", REDIRECTS_REFUSED)
def test_a_redirect_elsewhere_is_refused(client, shop, url):
    status, answer = post(client, PAY_PATH, signed(changed(redirect_url=url)))

    assert status == 400
    refused(answer, code="invalid_field", field="redirect_url")


class TestBodies:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("{", "malformed_json"),
            ("", "missing_field"),
            ('{"a": 1} x', "malformed_json"),
            ("[]", "not_an_object"),
            ('"text"', "not_an_object"),
            ('{"out_trade_no": "1", "out_trade_no": "2"}', "duplicate_name"),
            ("[" * 100_000, "too_deep"),
            ('{"a":' * 50_000, "too_deep"),
            ('{"a": "' + "x" * 2_000_000 + '"}', "too_large"),
        ],
        ids=["broken", "empty", "trailing", "array", "string", "duplicate", "deep array", "deep object", "2 MB"],
    )
    def test_what_is_not_one_plain_object_is_refused(self, client, shop, text, code):
        status, answer = post(client, PAY_PATH, text)

        assert status == 400
        refused(answer, code=code)

    @pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "\\udfff"])
    @pytest.mark.parametrize("field", ["out_trade_no", "ee_no"])
    def test_nul_and_lone_surrogates_are_refused_and_named(self, client, shop, field, text):
        raw = body(signed(PAY)).replace(json.dumps(PAY[field]), f'"{text}"')

        status, answer = post(client, PAY_PATH, raw)

        assert status == 400
        assert answer["success"] is False
        assert field in answer["result_message"]

    def test_invalid_utf8_is_refused(self, client, shop):
        status, _answer = post(client, PAY_PATH, b'{"out_trade_no": "\xff"}')

        assert status == 400

    def test_another_content_type_is_refused_in_the_envelope(self, client, shop):
        response = client.post(PAY_PATH, data={"a": "b"}, headers={"authorization": "Token shop-token"})

        assert response.status_code == 415
        refused(response.json(), code="unsupported_media_type")

    def test_get_is_refused_in_the_envelope(self, client, shop):
        response = client.get(PAY_PATH, signed({"a": "b"}), headers={"authorization": "Token shop-token"})

        assert response.status_code == 405
        assert response.json()["success"] is False


def test_errors_answer_200_for_a_client_that_reads_only_the_body(client, shop):
    type(shop).objects.update(always_http_200=True)

    status, answer = post(client, PAY_PATH, signed(changed(total_amount=Text("0"), shipping_fee=Text("0"))))

    assert status == 200
    refused(answer, code="invalid_field", field="total_amount")


@pytest.mark.parametrize("field", ["out_trade_no", "client_pay_id"])
def test_a_number_that_is_too_long_is_refused(client, shop, field):
    status, answer = post(client, PAY_PATH, signed(changed(**{field: "9" * 65})))

    assert status == 400
    refused(answer, code="invalid_field", field=field)


def test_an_order_of_another_client_is_unknown_to_pay_detail(client, shop):
    other = make_client(name="mall")

    status, answer = post(
        client, "/api/checkout/pay-detail/", signed({"out_trade_no": "X"}), token=f"{other.name}-token"
    )

    assert status == 404
    refused(answer, code="order_unknown")
