"""What cannot be read of document 002's call: its envelope in Chinese, the field named, and nothing moved."""

import json

import pytest

from payments.models import Order
from tests.calls import Text, body
from tests.partner_orders.calls import PAY_PATH, post, signed
from tests.partner_orders.refusing import FORM, JSON, LEFT_OUT, refused, sent_raw, status_of
from tests.partner_orders.world import PACK_UID, USER_ID

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
def test_control_the_good_call_pays(client, world, form):
    status, answer = post(client, PAY_PATH, signed(world.call(colour="red")), token=world.token, form=form)

    assert (status, answer["code"], answer["result"]["order_info"]["order_status"]) == (200, 1, 1)
    assert Order.objects.get().status == "pay_finished"


# --- the five parameters

TYPES = [[], ["1"], {}, {"a": 1}, True, False, Text("1.5"), Text("-1"), Text("1e3")]
TOO_LONG = ["x" * 65, Text("9" * 65)]
NO_NUMBER = [*TYPES, Text("1.0"), 10**12, "１", "1 ", " 1", "x", "0x1", "+1", "-1", "1_0", "9" * 400]
WRONG = {
    "user_id": [*TYPES, *TOO_LONG],
    "pay_type": [*NO_NUMBER, 0, 3, "0", "3", 10**8],
    "gift_pos_id": [*TYPES, *TOO_LONG],
    "coupon_id": [*TYPES, *TOO_LONG],
    "address_id": NO_NUMBER,
}
UNKNOWN = {
    "user_id": ("customer_unknown", ["nobody", "１", 10**12, USER_ID.upper(), f"{USER_ID} ", "'", "%"]),
    "gift_pos_id": ("gift_pack_unknown", ["0" * 32, PACK_UID.upper(), "１", "malformed", 10**12, f" {PACK_UID}"]),
    "coupon_id": ("coupon_unknown", ["0" * 32, "１", "malformed", 10**12]),
    "address_id": ("address_unknown", [0, "0", 10**9 - 1, "000000000"]),
}


def cases(table):
    return [pytest.param(name, value, id=f"{name}={value!r:.40}") for name, values in table.items() for value in values]


@pytest.mark.parametrize("value", [LEFT_OUT, None, ""], ids=["left out", "null", "empty"])
@pytest.mark.parametrize("field", ["user_id", "pay_type", "gift_pos_id", "address_id"])
def test_a_missing_parameter_is_named(client, world, field, value):
    refused(client, world, signed(world.call(**{field: value})), status=400, code="missing_field", field=field)


@pytest.mark.parametrize(("field", "value"), cases(WRONG))
def test_what_is_no_such_value_is_refused_by_name(client, world, field, value):
    refused(client, world, signed(world.call(**{field: value})), status=400, code="invalid_field", field=field)


@pytest.mark.parametrize(("field", "value"), cases({name: values for name, (_code, values) in UNKNOWN.items()}))
def test_what_nobody_has_is_unknown(client, world, field, value):
    code = UNKNOWN[field][0]

    refused(client, world, signed(world.call(**{field: value})), status=404, code=code, field=field)


@pytest.mark.parametrize("world", ["default"], indirect=True)
@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
@pytest.mark.parametrize("field", ["user_id", "pay_type", "gift_pos_id", "coupon_id", "address_id", "note"])
def test_a_separator_of_the_sign_is_refused_by_name(client, world, field, form):
    params = signed(world.call(**{field: "1&b=2"}))

    refused(client, world, params, status=400, code="invalid_field", field=field, form=form)


@pytest.mark.parametrize("world", ["default"], indirect=True)
@pytest.mark.parametrize("nested", [{"a": "1&b=2"}, ["&"], {"a&b": 1}])
def test_a_separator_is_found_inside_what_we_do_not_know(client, world, nested):
    refused(client, world, signed(world.call(note=nested)), status=400, code="invalid_field", field="note")


@pytest.mark.parametrize("world", ["token"], indirect=True)
@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
def test_beside_a_token_a_separator_is_a_character_like_any_other(client, world, form):
    status, answer = post(client, PAY_PATH, signed(world.call(note="1&b=2")), token=world.token, form=form)

    assert (status, answer["code"]) == (200, 1)


@pytest.mark.parametrize("field", ["user_id", "pay_type", "gift_pos_id", "coupon_id", "address_id", "note"])
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800"])
def test_a_nul_or_half_a_pair_is_refused_by_name(client, world, field, escape):
    params = signed(world.call(**{field: "x"})) | {field: Text(f'"a{escape}"')}

    refused(client, world, params, status=400, code="unusable_text", field=field)


def test_all_that_is_wrong_is_named_at_once(client, world):
    _status, answer = post(client, PAY_PATH, signed({"pay_type": 3}), token=world.token)

    assert list(answer["errors"]) == ["user_id", "pay_type", "gift_pos_id", "address_id"]
    assert answer["msg"] == answer["errors"]["user_id"][0]
    assert answer["error_code"] == "missing_field"


# --- bodies, methods, addresses

BODIES = {
    "broken": ("{", "malformed_json", ""),
    "trailing": ('{"a": 1} x', "malformed_json", ""),
    "array": ("[]", "not_an_object", ""),
    "deep": ('{"a":' * 50_000, "too_deep", ""),
    "nested": (json.dumps({"a": [[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]}), "too_deep", None),
    "duplicate": ('{"user_id": "1", "user_id": "2"}', "duplicate_name", "user_id"),
    "no number": ('{"pay_type": NaN}', "not_a_number", "pay_type"),
    "too large": ('{"a": "' + "x" * 300_000 + '"}', "too_large", ""),
    "not UTF-8": (b'{"user_id": "\xff"}', "not_utf8", ""),
    "empty": ("", "sign_missing", "sign"),
}
FORMS = {
    "stray percent": ("user_id=%zz", "malformed_form", "user_id"),
    "duplicate": ("user_id=1&user_id=2", "duplicate_name", "user_id"),
    "NUL": ("user_id=a%00", "unusable_text", "user_id"),
    "not UTF-8": ("user_id=%ff", "not_utf8", "user_id"),
    "too many": ("&".join(f"a{number}=1" for number in range(1_001)), "too_many_fields", ""),
}


@pytest.mark.parametrize(
    ("content_type", "case"), [*((JSON, case) for case in BODIES), *((FORM, case) for case in FORMS)]
)
def test_what_is_not_one_plain_set_of_parameters_is_refused(client, world, content_type, case):
    content, code, field = (BODIES if content_type == JSON else FORMS)[case]

    status, answer = sent_raw(client, world, content, content_type=content_type)

    assert (status, answer["error_code"]) == (status_of(world, 401 if code == "sign_missing" else 400), code)
    if field is not None:
        assert answer["errors"] == ({field: [answer["msg"]]} if field else {})


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/jsonp", ""])
def test_another_content_type_is_refused(client, world, content_type):
    status, answer = sent_raw(client, world, body(signed(world.call())), content_type=content_type)

    assert (status, answer["error_code"]) == (status_of(world, 415), "unsupported_media_type")


def test_a_file_is_refused(client, world):
    content = b'--b\r\nContent-Disposition: form-data; name="user_id"; filename="a"\r\n\r\n1\r\n--b--\r\n'

    status, answer = sent_raw(client, world, content, content_type="multipart/form-data; boundary=b")

    assert (status, answer["error_code"], list(answer["errors"])) == (
        status_of(world, 400), "file_refused", ["user_id"],
    )  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(client, world, method):
    status, answer = sent_raw(client, world, body(signed(world.call())), method=method)

    assert (status, answer["error_code"]) == (status_of(world, 405), "method_not_allowed")


def test_pay_answers_no_get(client, world):
    texts = {name: str(value) for name, value in signed(world.call()).items()}
    headers = {"authorization": f"Token {world.token}"} if world.token else {}

    response = client.get(PAY_PATH, texts, headers=headers)

    assert (response.status_code, response.json()["error_code"]) == (status_of(world, 405), "method_not_allowed")
    assert "GET" not in response.headers["Allow"]
    assert not Order.objects.exists()


@pytest.mark.parametrize("path", ["/app/partner/", "/app/partner/order/", "/app/partner/order/pay/x", "/app/partner/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_where_nothing_is_is_404_for_everybody(client, world, method, path):
    status, answer = sent_raw(client, world, body(signed(world.call())), method=method, path=path)

    assert (status, answer["error_code"], answer["errors"]) == (404, "unknown_path", {})
