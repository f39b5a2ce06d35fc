"""Document 002's example in a world of its own: same keys, same types, same values but for ids and times."""

import json
import re

import pytest

from tests.partner_orders.calls import PAY_PATH, post, signed
from tests.partner_orders.world import (
    PACK_UID,
    USER_ID,
    make_address,
    make_alipay,
    make_pack,
    make_partner,
    make_partner_client,
)

pytestmark = pytest.mark.django_db

EXAMPLE = json.loads(
    """{ "code": 1, "errors": { }, "msg": "操作成功", "result": { "ali_pay_url": "", "order_info": { "order_no":
    "202201071757551641549475668", "gift_pos_id": "55fca782f55f406d94e2cecb23d0140b", "order_express_time_stamp": 0,
    "bill_no": "", "order_time": "2022-01-07 17:57:55", "order_name": "购买机器", "user_id_no": "", "gift_title":
    "拉卡拉大POS 1台装礼包 升V5", "order_status": 1, "coupon_id": "", "order_express_number": "", "user_phone":
    "18569557087", "pay_type": 1, "order_time_stamp": 1641549475356, "id": "fd85f86a959043878cf2c03d8c09f39f",
    "order_type": 1, "user_level_id": "", "order_express_name": "", "order_express_time": "", "order_receieve_phone":
    "18578229023", "receive_time": "", "order_price": 300, "order_desc": "", "order_express_address": "",
    "order_pay_time": "2022-01-07 17:57:55", "order_receieve_name": "刘德华", "platform_remark": "", "order_score": 0,
    "deduct_price": 0, "user_id": "41840909af844632885424fbc20cae79", "user_real_name": "张学友",
    "order_receieve_address": "湖南省长沙市德思勤城市广场b5栋", "third_order_no": "", "order_pay_time_stamp":
    1641549475356, "order_express_no": "" } } }"""
)
OURS = {"order_no", "id", "order_time", "order_time_stamp", "order_pay_time", "order_pay_time_stamp"}


@pytest.fixture
def call():
    client = make_partner_client(default_of="partner_orders", always_http_200=True)
    customer = make_partner(client=client)
    make_pack(client=client)
    return {
        "user_id": USER_ID, "pay_type": 1, "gift_pos_id": PACK_UID, "coupon_id": "",
        "address_id": make_address(customer=customer).pk,
    }  # fmt: skip


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
@pytest.mark.parametrize("path", [PAY_PATH, f"{PAY_PATH}/"])
def test_document_002_is_answered_to_the_letter(client, call, path, form):
    status, answer = post(client, path, signed(call), form=form)

    told, expected = answer["result"]["order_info"], EXAMPLE["result"]["order_info"]
    assert status == 200
    assert {**answer, "result": {}} == {**EXAMPLE, "result": {}}
    assert answer["result"]["ali_pay_url"] == ""
    assert list(told) == list(expected)
    assert {name: type(value) for name, value in told.items()} == {
        name: type(value) for name, value in expected.items()
    }
    assert {name: value for name, value in told.items() if name not in OURS} == {
        name: value for name, value in expected.items() if name not in OURS
    }
    assert re.fullmatch(r"[0-9]{27}", told["order_no"])
    assert told["order_no"][:14] == re.sub("[^0-9]", "", told["order_time"])
    assert re.fullmatch(r"[0-9a-f]{32}", told["id"])
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", told["order_pay_time"])
    assert told["order_pay_time_stamp"] == told["order_time_stamp"]


@pytest.mark.parametrize(
    ("agent", "method"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36", "page"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36", "wap"),
        ("okhttp/4.9.3", "wap"),
        ("Partner/3 CFNetwork/1408.0.4 Darwin/22.5.0", "wap"),
        ("Dart/3.4 (dart:io)", "wap"),
        ("curl/8.5.0", "page"),
    ],
)
def test_alipays_page_is_the_one_for_the_customers_device(client, call, agent, method):
    make_alipay()

    _status, answer = post(client, PAY_PATH, signed(call | {"pay_type": 2}), headers={"user-agent": agent})

    assert f"&method=alipay.trade.{method}.pay&" in answer["result"]["ali_pay_url"]
    assert answer["result"]["order_info"]["order_status"] == 0
