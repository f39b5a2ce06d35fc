"""Who calls document 002's address: by a sign alone or with a token too, and nobody else."""

import pytest
from django.utils import timezone

from payments.clients import signing
from tests.calls import Text
from tests.calls import signed as stamped
from tests.partner_orders.calls import PAY_PATH, post, signed
from tests.partner_orders.refusing import LEFT_OUT, World, refused
from tests.world import SECRET, make_client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        (LEFT_OUT, "sign_missing"), (None, "sign_missing"), ("", "sign_missing"), ("0" * 32, "sign_wrong"),
        (Text("1"), "sign_wrong"), ([], "sign_wrong"), (True, "sign_wrong"),
    ],
    ids=str,
)  # fmt: skip
def test_a_missing_or_wrong_sign_is_refused(client, world, sign, code):
    params = {name: value for name, value in {**world.call(), "sign": sign}.items() if value is not LEFT_OUT}

    refused(client, world, params, status=401, code=code, field="sign")


@pytest.mark.parametrize(
    "change", [{"user_id": "neighbour"}, {"pay_type": 2}, {"address_id": 10**8}, {"colour": "red"}], ids=str
)
def test_a_sign_over_other_parameters_is_refused(client, world, change):
    refused(client, world, signed(world.call()) | change, status=401, code="sign_wrong", field="sign")


def test_the_sign_of_another_method_is_refused(client, world):
    texts = {name: str(value) for name, value in world.call().items()}
    sign = signing.sign(params=texts, secret=SECRET, sign_type="HMAC-SHA256")

    refused(client, world, world.call(sign=sign), status=401, code="sign_wrong", field="sign")


def test_a_sign_in_capitals_is_the_same_sign(client, world):
    params = signed(world.call())

    status, answer = post(client, PAY_PATH, params | {"sign": params["sign"].upper()}, token=world.token)

    assert (status, answer["code"]) == (200, 1)


def test_the_secret_of_another_client_is_refused(client, world):
    params = signed(world.call(), secret="rival-secret")

    refused(client, world, params, status=401, code="sign_wrong", field="sign")


def test_a_token_is_asked_for_its_own_secret(client, world):
    refused(
        client, world, signed(world.call()), token="rival-token", status=401, code="sign_wrong", field="sign",
        is_known=False,
    )  # fmt: skip


def test_a_wrong_token_is_refused_although_the_default_client_needs_none(client, world):
    refused(client, world, signed(world.call()), token="nobody", status=401, code="token_unknown", is_known=False)


def test_without_a_default_client_a_token_is_asked_for(client, db):
    world = World(token="")

    refused(client, world, signed(world.call()), status=401, code="token_missing")


@pytest.mark.parametrize("seconds", [-301, 302, -86_400])
def test_a_timestamp_that_is_sent_all_the_same_is_fresh(client, world, seconds):
    stamp = str(int(timezone.now().timestamp()) + seconds)

    refused(
        client, world, stamped(world.call(), timestamp=stamp), status=401, code="timestamp_expired", field="timestamp"
    )  # fmt: skip


@pytest.mark.parametrize("stamp", ["yesterday", "-1", "2022-13-01 00:00:00", True, []], ids=str)
def test_a_timestamp_that_is_sent_all_the_same_can_be_read(client, world, stamp):
    params = stamped(world.call(), timestamp=stamp)

    refused(client, world, params, status=400, code="invalid_field", field="timestamp")


@pytest.mark.parametrize("world", ["default"], indirect=True)
class TestOneSignForTwoCalls:
    """The recipe escapes nothing. Where the sign alone proves a call, it must fit that call alone."""

    def test_a_timestamp_is_not_swallowed(self, client, world):
        sent = stamped(world.call(platform="ios"), timestamp="1600000000")
        split = {**sent, "platform": "ios&timestamp=1600000000", "timestamp": ""}
        assert signed(split)["sign"] == sent["sign"]

        refused(client, world, split, status=400, code="invalid_field", field="platform")

    def test_a_coupon_is_not_split_off_a_text_of_the_customers(self, client, world):
        coupon = world.coupon()
        sent = signed(world.call(coupon_id="", chat=f"hello&coupon_id={coupon}"))
        split = {**sent, "chat": "hello", "coupon_id": coupon}
        assert signed(split)["sign"] == sent["sign"]

        refused(client, world, sent, status=400, code="invalid_field", field="chat")


def test_the_family_is_served_to_its_clients_alone(client, db):
    world = World(token="mall-token")
    make_client(name="mall", secret="mall-secret")
    params = signed(world.call(), secret="mall-secret")

    refused(client, world, params, status=403, code="family_not_served")
