"""
Refused calls of document 002: who makes them, and what all of them have in common.

Each is made twice: by a client with a token, which is told the status, and by the family's default client, which signs
without a token and gets 200.
"""

import re

from partner_orders.models import Address, CustomerCoupon, CustomerLevel, GiftPack, PartnerOrder
from payments.models import Account, AuditRow, Charge, Order, OrderTransition, Transfer
from tests.partner_orders.calls import PAY_PATH, post
from tests.partner_orders.world import (
    PACK_UID,
    USER_ID,
    make_address,
    make_coupon,
    make_pack,
    make_partner,
    make_partner_client,
)

BOOKS = (
    Order, Charge, Transfer, OrderTransition, AuditRow, Account, PartnerOrder, GiftPack, CustomerCoupon, CustomerLevel,
    Address,
)  # fmt: skip
LEFT_OUT = "(left out)"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class World:
    """Document 002's customer, address and pack, a client that calls, and a rival's of the same kind."""

    def __init__(self, *, token, **client_fields):
        self.token = token
        self.client = make_partner_client(**client_fields)
        self.customer = make_partner(client=self.client)
        self.address = make_address(customer=self.customer)
        self.pack = make_pack(client=self.client)
        self.rival = make_partner_client(name="rival", secret="rival-secret")
        self.stranger = make_partner(client=self.rival, user_id="stranger")
        self.neighbour = make_partner(client=self.client, user_id="neighbour")

    def call(self, **changes):
        """Return the good call's parameters, changed; without those that are LEFT_OUT."""
        params = {
            "user_id": USER_ID, "pay_type": 1, "gift_pos_id": PACK_UID, "coupon_id": "", "address_id": self.address.pk,
        } | changes  # fmt: skip
        return {name: value for name, value in params.items() if value is not LEFT_OUT}

    def coupon(self, **terms):
        return make_coupon(customer=self.customer, **terms).uid


def books():
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in BOOKS}


def refused(client, world, params, *, status, code, field="", is_known=True, **how):
    """Make a call that must be refused and return its sentence. `is_known`: it is known whose call it is."""
    before = books()
    headers = {"accept-language": "en"} | how.pop("headers", {})
    answered, answer = post(client, how.pop("path", PAY_PATH), params, headers=headers, **{"token": world.token, **how})
    sentence = answer["msg"]
    assert answer == {
        "code": 0, "errors": {field: [sentence]} if field else {}, "msg": sentence, "result": {}, "error_code": code,
    }  # fmt: skip
    assert answered == (200 if is_known and world.client.always_http_200 else status)
    assert CHINESE.search(sentence), sentence
    assert books() == before
    return sentence


def sent_raw(client, world, content, *, content_type=JSON, method="POST", path=PAY_PATH):
    """Make a call as it is, and return status and answer; nothing moves."""
    before = books()
    headers = {"accept-language": "en"} | ({"authorization": f"Token {world.token}"} if world.token else {})
    response = client.generic(method, path, content, content_type=content_type, headers=headers)
    assert books() == before
    assert response.headers["Content-Language"] == "zh-hans"
    answer = response.json()
    assert (answer["code"], answer["result"], list(answer)) == (
        0, {}, ["code", "errors", "msg", "result", "error_code"],
    )  # fmt: skip
    assert CHINESE.search(answer["msg"])
    return response.status_code, answer


def status_of(world, status):
    return 200 if world.client.always_http_200 else status
