import io
import json

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from payments.wire.openapi import schema_of
from tests.english_app.test_document import ROW
from tests.partner_orders.test_document import EXAMPLE as EXAMPLE_002

PAY_002 = "/app/partner/order/pay/"
ENGLISH = [f"/english/order/{name}/" for name in ("payWay", "lists", "submitGoodsOrder", "init", "pay", "cancel")]
PARTNER_READS = ("order/list", "order/detail", "gift/list", "coupon/list", "address/list")
# Every call of a client: what is missing here is documented nowhere.
CALLS = {
    ("/api/checkout/pay/", "post"),
    ("/api/checkout/pay-detail/", "post"),
    ("/api/checkout/refund/", "post"),
    ("/api/checkout/refund-detail/", "post"),
    ("/api/checkout/close/", "post"),
    ("/app/partner/order/pay/", "post"),
    *((f"/app/partner/{path}/", method) for path in PARTNER_READS for method in ("get", "post")),
    *((f"/app/partner/order/{name}/", "post") for name in ("cancel", "receive", "ship")),
    *((f"/app/partner/address/{name}/", "post") for name in ("add", "change", "delete")),
    *((path, method) for path in ENGLISH for method in ("get", "post")),
    ("/api/orders/", "get"),
    ("/api/orders/{number}/", "get"),
    ("/api/charges/", "get"),
    ("/api/webhooks/", "get"),
    ("/api/webhooks/{event_id}/redeliver/", "post"),
    ("/rest/order/", "post"),
    ("/rest/wx/push_order/", "post"),
    ("/rest/ali/push_order/", "post"),
    ("/rest/refund/", "post"),
    ("/rest/refund_detail/", "post"),
    ("/rest/close/", "post"),
}


@pytest.fixture(scope="module")
def schema():
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


def call(schema, path, method="post"):
    return schema["paths"][path][method]


def example(content):
    [named] = content["application/json"]["examples"].values()
    return named["value"]


def test_it_is_valid_without_a_warning(schema):
    assert schema["openapi"].startswith("3.0")


def test_every_call_of_a_client_is_there_and_nothing_else(schema):
    found = {(path, method) for path, methods in schema["paths"].items() for method in methods}

    assert found >= CALLS
    assert not [path for path, _method in found if path.startswith(("/rest/pub/", "/admin", "/schema", "/metrics"))]


def test_every_call_asks_for_the_token(schema):
    assert {name: scheme["type"] for name, scheme in schema["components"]["securitySchemes"].items()} == {
        "token": "http"
    }
    assert all(
        operation["security"] == [{"token": []}]
        for path, methods in schema["paths"].items()
        for operation in methods.values()
        if path not in {PAY_002, *ENGLISH}
    )


def test_document_002_asks_for_its_sign_alone(schema):
    pay = call(schema, PAY_002)
    reference = pay["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    body = schema["components"]["schemas"][reference.rpartition("/")[2]]

    assert pay["security"] == [{}, {"token": []}]
    assert set(body["required"]) == {"user_id", "pay_type", "gift_pos_id", "address_id", "sign"}
    assert set(body["properties"]) == {*body["required"], "coupon_id", "timestamp"}
    assert set(pay["requestBody"]["content"]) == {
        "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    }  # fmt: skip


def test_document_002s_example_is_the_documents_to_the_letter(schema):
    pay = call(schema, PAY_002)

    assert example(pay["responses"]["200"]["content"]) == EXAMPLE_002
    assert example(pay["requestBody"]["content"])["sign"] == "05c098783561b6d0ce4d842f3d71cd61"
    assert list(call(schema, PAY_002)["responses"]["400"]["content"]["application/json"]["schema"]["properties"]) == [
        "code", "errors", "msg", "result", "error_code",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ENGLISH)
def test_document_004_takes_a_token_or_app_time_and_sign(schema, path, method):
    described = call(schema, path, method)

    assert described["security"] == [{}, {"token": []}]
    asked = asked_for(schema, described)
    assert {name: asked[name] for name in ("app_id", "timestamp", "sign")} == dict.fromkeys(
        ("app_id", "timestamp", "sign"), False
    )


def asked_for(schema, described):
    """Return the parameters of a call, and whether each is required."""
    if "requestBody" not in described:
        return {parameter["name"]: parameter.get("required", False) for parameter in described["parameters"]}
    reference = described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    body = schema["components"]["schemas"][reference.rpartition("/")[2]]
    return {name: name in body.get("required", []) for name in body["properties"]}


@pytest.mark.parametrize("path", ENGLISH)
def test_document_004_takes_the_same_by_get_and_by_post(schema, path):
    by_get, by_post = (call(schema, path, method) for method in ("get", "post"))

    assert asked_for(schema, by_get) == asked_for(schema, by_post)
    assert by_get["responses"] == by_post["responses"]
    assert set(by_post["requestBody"]["content"]) == {
        "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    }  # fmt: skip


def test_document_004s_row_has_the_documents_23_keys_in_its_order(schema):
    answer = example(call(schema, "/english/order/lists/")["responses"]["200"]["content"])

    assert list(answer) == ["code", "msg", "data"]
    assert list(answer["data"][0]) == list(ROW)


def test_document_004s_params_have_the_documents_keys_for_each_way_to_pay(schema):
    told = call(schema, "/english/order/init/")["responses"]["200"]["content"]["application/json"]["examples"]

    assert {name: list(shown["value"]["data"]["params"]) for name, shown in told.items()} == {
        "004": ["payway_account_name", "appid", "partnerid", "email", "privatekey", "order_string"],
        "WeChat": ["partnerid", "md5signstr", "rsmd5", "starttime"],
        "Balance": [],
    }
    assert told["004"]["value"]["data"]["params"]["privatekey"] == ""


@pytest.mark.parametrize(("name", "data"), [("payWay", []), ("lists", []), ("init", None), ("pay", None)])
def test_document_004_is_refused_in_its_envelope(schema, name, data):
    refusal = call(schema, f"/english/order/{name}/")["responses"]["404"]["content"]["application/json"]["schema"]

    assert list(refusal["properties"]) == ["code", "msg", "data", "error_code"]
    assert refusal["example"]["data"] == data


@pytest.mark.parametrize("path", [f"/app/partner/{path}/" for path in PARTNER_READS])
def test_what_reads_takes_the_same_by_get_and_by_post(schema, path):
    reference = call(schema, path)["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    body = schema["components"]["schemas"][reference.rpartition("/")[2]]
    query = {parameter["name"]: parameter for parameter in call(schema, path, "get")["parameters"]}

    assert set(query) == set(body["properties"])
    assert {name for name, parameter in query.items() if parameter.get("required")} == set(body["required"])
    assert {"timestamp", "sign"} <= set(body["required"])


def test_the_documents_own_examples_are_the_examples(schema):
    pay = call(schema, "/api/checkout/pay/")
    detail = call(schema, "/api/checkout/pay-detail/")

    assert example(pay["requestBody"]["content"])["ee_no"] == "a09999"
    assert example(pay["responses"]["200"]["content"])["result"]["point_amount"] == 131.28
    assert example(detail["requestBody"]["content"]) == {"client_pay_id": "0000010111123"}
    assert example(detail["responses"]["200"]["content"])["result"]["shipping_fee"] == 5


def test_each_answer_of_a_call_with_several_has_its_shape(schema):
    answer = call(schema, "/rest/ali/push_order/")["responses"]["200"]["content"]["application/json"]

    shapes = [list(shape["properties"]["data"]["properties"]) for shape in answer["schema"]["anyOf"]]
    assert shapes == [["qr_code", "qrCode"], ["order_string", "orderString"]]
    assert set(answer["examples"]) == {"QRCODE", "APP"}


def test_sign_and_timestamp_are_asked_for(schema):
    reference = call(schema, "/api/checkout/pay/")["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    body = schema["components"]["schemas"][reference.rpartition("/")[2]]

    assert {"sign", "timestamp", "total_amount", "user_id", "ee_no"} <= set(body["required"])


def test_refusals_wear_the_family_s_envelope(schema):
    responses = call(schema, "/api/checkout/pay/")["responses"]

    for status in ("400", "401", "403", "404", "409", "503"):
        answer = responses[status]["content"]["application/json"]["schema"]
        assert list(answer["properties"]) == ["result_message", "result_code", "result", "success"]
        assert answer["example"]["success"] is False


def test_the_status_is_one_of_the_state_table(schema):
    answer = call(schema, "/api/checkout/pay/")["responses"]["200"]["content"]["application/json"]["schema"]

    assert answer["properties"]["result"]["properties"]["status"]["enum"] == [
        "unpaid", "point_paid", "cash_paid", "pay_finished", "partly_refund", "total_refund", "closed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "result"),
    [("/api/checkout/refund/", "result"), ("/api/checkout/refund-detail/", "result"), ("/rest/refund/", "data")],
)
def test_a_refund_has_four_statuses_on_the_wire(schema, path, result):
    answer = call(schema, path)["responses"]["200"]["content"]["application/json"]["schema"]

    told = answer["properties"][result]["properties"]["refund_status"]["enum"]
    assert set(told) == {"pending", "succeeded", "failed", "to_approve"}


@pytest.mark.parametrize("path", ["/api/checkout/refund/", "/api/checkout/close/", "/rest/refund/", "/rest/close/"])
def test_what_moves_money_or_state_beyond_the_documents_asks_for_sign_and_time(schema, path):
    reference = call(schema, path)["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    body = schema["components"]["schemas"][reference.rpartition("/")[2]]

    assert {"sign", "timestamp"} <= set(body["required"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", {"type": "string"}),
        (1, {"type": "number"}),
        (1.5, {"type": "number"}),
        (True, {"type": "boolean"}),
        (None, {"nullable": True}),
        ([], {"type": "array", "items": {}}),
        (["a"], {"type": "array", "items": {"type": "string"}}),
        ({}, {"type": "object", "properties": {}}),
        ({"a": 1}, {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}),
    ],
)
def test_a_schema_is_read_off_an_example(value, expected):
    assert schema_of(value) == expected


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_it_is_served_to_anyone_in_both_languages(db, language):
    response = Client().get("/schema", {"format": "json"}, headers={"Accept-Language": language})

    assert response.status_code == 200
    assert json.loads(response.content)["info"]["title"] == "Onetill 一柜通"


def test_swagger_ui_asks_nobody_outside(db):
    page = Client().get("/docs/").content.decode()

    assert "/static/drf_spectacular_sidecar/" in page
    assert "//" not in page.replace("http://testserver", "").replace("https://testserver", "")
