"""Who makes document 004's calls: with a token, by app, time and sign, or from a listed network; and nobody else."""

import pytest
from django.utils import timezone

from payments.clients import signing
from payments.models import ApiClient, Order
from tests.calls import Text
from tests.english_app import world as english
from tests.english_app.calls import WAYS, data, stamped
from tests.english_app.refusing import CALLS, ELSEWHERE, LEFT_OUT, LISTED, refused
from tests.world import SECRET, make_client

pytestmark = pytest.mark.django_db

app = pytest.mark.parametrize("world", ["app"], indirect=True)
token = pytest.mark.parametrize("world", ["token"], indirect=True)
network = pytest.mark.parametrize("world", ["network"], indirect=True)
every_call = pytest.mark.parametrize("name", CALLS)


# --- by app, time and sign


@app
@every_call
@pytest.mark.parametrize("way", WAYS)
def test_without_a_proof_nothing_is_answered(client, world, name, way):
    params = world.params(name)

    refused(client, world, name, params, status=400, code="missing_field", field="timestamp", way=way)


@app
@every_call
@pytest.mark.parametrize(
    ("sign", "code"),
    [
        (LEFT_OUT, "sign_missing"), (None, "sign_missing"), ("", "sign_missing"), ("0" * 32, "sign_wrong"),
        (Text("1"), "sign_wrong"), ([], "sign_wrong"), (True, "sign_wrong"),
    ],
    ids=str,
)  # fmt: skip
def test_a_missing_or_wrong_sign_is_refused(client, world, name, sign, code):
    params = stamped(world.params(name)) | {"sign": sign}
    params = {field: value for field, value in params.items() if value is not LEFT_OUT}

    refused(client, world, name, params, status=401, code=code, field="sign")


@app
@pytest.mark.parametrize(
    "change", [{"user_id": "neighbour"}, {"money": 20}, {"colour": "red"}, {"app_id": "01"}], ids=str
)
def test_a_sign_over_other_parameters_is_refused(client, world, change):
    params = stamped(world.params("init")) | change

    refused(client, world, "init", params, status=401, code="sign_wrong", field="sign")


@app
def test_the_sign_of_another_method_or_secret_is_refused(client, world):
    for params in (
        stamped(world.params("init"), sign_type="HMAC-SHA256"), stamped(world.params("init"), secret="rival-secret"),
    ):  # fmt: skip
        refused(client, world, "init", params, status=401, code="sign_wrong", field="sign")


@app
@every_call
@pytest.mark.parametrize("seconds", [-301, 302, -86_400])
def test_an_expired_timestamp_is_refused(client, world, name, seconds):
    stamp = str(int(timezone.now().timestamp()) + seconds)
    params = stamped(world.params(name), timestamp=stamp)

    refused(client, world, name, params, status=401, code="timestamp_expired", field="timestamp")


@app
@pytest.mark.parametrize("stamp", ["yesterday", "-1", "2022-13-01 00:00:00", True, []], ids=str)
def test_a_timestamp_that_cannot_be_read_is_refused(client, world, stamp):
    params = stamped(world.params("init"), timestamp=stamp)

    refused(client, world, "init", params, status=400, code="invalid_field", field="timestamp")


@app
@pytest.mark.parametrize("field", ["user_id", "title", "user_name", "imeil", "note"])
def test_a_separator_of_the_sign_is_refused_by_name(client, world, field):
    params = stamped(world.params("init", **{field: "a&money=0"}))

    refused(client, world, "init", params, status=400, code="invalid_field", field=field)


@app
def test_a_separator_is_found_inside_a_list_of_goods(client, world):
    params = stamped(world.params("init", goods_list=[{"good_id": world.month.pk, "num": "1&b=2"}]))

    refused(client, world, "init", params, status=400, code="invalid_field", field="goods_list")


# --- which app


@every_call
@pytest.mark.parametrize("app_id", [2, "2", 3, 0, 999_999_999])
def test_the_app_of_another_client_or_of_nobody_is_unknown(client, world, name, app_id):
    params = world.proven(world.params(name, app_id=app_id))
    if world.caller != "token" and app_id in {2, "2"}:  # the rival's: asked for the rival's proof
        refused(client, world, name, params, is_known=False, **(
            {"status": 401, "code": "sign_wrong", "field": "sign"} if world.caller == "app"
            else {"status": 400, "code": "missing_field", "field": "timestamp"}
        ))  # fmt: skip
        return

    is_known = world.caller == "token"
    refused(client, world, name, params, status=404, code="app_unknown", field="app_id", is_known=is_known)


@app
@pytest.mark.parametrize("fields", [{"is_active": False}, {"families": ["payments"]}, {"app_id": None}], ids=str)
def test_an_app_that_is_switched_off_or_of_another_family_is_unknown(client, world, fields):
    ApiClient.objects.filter(pk=world.client.pk).update(**fields)
    params = stamped(world.params("init"))

    refused(client, world, "init", params, status=404, code="app_unknown", field="app_id", is_known=False)


@app
@pytest.mark.parametrize("app_id", [LEFT_OUT, None, "", 1, "1"], ids=str)
def test_a_call_that_names_no_app_is_the_default_ones(client, world, app_id):
    made = data(client, "init", stamped(world.params("init", app_id=app_id)), **world.how())

    assert Order.objects.get(number=made["pay_order_sn"]).client == world.client


@app
def test_another_app_is_proven_by_its_own_secret_and_finds_its_own_customers_alone(client, world):
    rivals = stamped({"user_id": "stranger", "app_id": 2}, secret="rival-secret")
    assert data(client, "lists", rivals, token="") == []

    params = stamped(world.params("lists", app_id=2), secret="rival-secret")
    refused(
        client, world, "lists", params, status=404, code="customer_unknown", field="user_id", is_known=False
    )  # fmt: skip


# --- with a token


@token
@every_call
@pytest.mark.parametrize("wrong", ["nobody", "english-token2", "ENGLISH-TOKEN"])
def test_a_wrong_token_is_refused_although_a_sign_would_do(client, world, name, wrong):
    params = stamped(world.params(name))

    refused(client, world, name, params, status=401, code="token_unknown", token=wrong, is_known=False)


@token
@every_call
def test_what_is_sent_beside_a_token_is_right(client, world, name):
    sent = {"sign": ("0" * 32, 401, "sign_wrong"), "timestamp": ("1", 400, "invalid_field")}
    for field, (value, status, code) in sent.items():
        params = world.params(name) | {field: value}

        refused(client, world, name, params, status=status, code=code, field=field)


@token
def test_beside_a_token_a_separator_is_a_character_like_any_other(client, world):
    assert data(client, "init", world.params("init", title="A&B"), **world.how())["pay_order_sn"]


@token
@every_call
def test_the_family_is_served_to_its_clients_alone(client, world, name):
    make_client(name="mall", app_id=7)

    params = world.params(name, app_id=LEFT_OUT)
    refused(client, world, name, params, status=403, code="family_not_served", token="mall-token", is_known=False)


# --- from a network


@network
@every_call
def test_from_a_network_that_is_not_listed_nothing_is_answered_unsigned(client, world, name):
    for address in (ELSEWHERE, "8.8.8.8", "::1", "", "unix:"):
        refused(
            client, world, name, world.params(name), status=400, code="missing_field", field="timestamp",
            REMOTE_ADDR=address,
        )  # fmt: skip


@network
@every_call
@pytest.mark.parametrize("address", [LISTED, ELSEWHERE, "127.0.0.1"])
@pytest.mark.parametrize("forwarded", [LISTED, "8.8.8.8", f"8.8.8.8, {LISTED}", "", "x"])
def test_a_call_that_says_it_is_forwarded_is_never_unsigned(client, world, name, address, forwarded):
    refused(
        client, world, name, world.params(name), status=400, code="missing_field", field="timestamp",
        REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR=forwarded,
    )  # fmt: skip


@network
@pytest.mark.parametrize(
    ("forwarded", "is_unsigned"),
    [(LISTED, True), (f"8.8.8.8, {LISTED}", True), ("8.8.8.8", False), (f"{LISTED}, 8.8.8.8", False)],
)
def test_behind_our_own_proxy_the_caller_is_whom_it_names(client, world, settings, forwarded, is_unsigned):
    settings.TRUSTED_PROXIES = ["10.9.0.0/16"]
    how = {"REMOTE_ADDR": "10.9.0.1", "HTTP_X_FORWARDED_FOR": forwarded}

    if is_unsigned:
        assert data(client, "init", world.params("init"), **world.how(**how))["pay_order_sn"]
        assert {row["ip"] for row in data(client, "lists", {"user_id": 1}, **world.how())} == {LISTED}
        return
    refused(client, world, "init", world.params("init"), status=400, code="missing_field", field="timestamp", **how)


@network
def test_from_a_listed_network_another_app_is_not_unsigned(client, world):
    params = world.params("init", app_id=2)

    refused(client, world, "init", params, status=400, code="missing_field", field="timestamp", is_known=False)


@pytest.mark.parametrize("fields", [{"allowed_networks": ["192.168.0.0/16"]}])
def test_a_client_calls_from_its_own_networks_alone(client, world, fields):
    ApiClient.objects.filter(pk=world.client.pk).update(**fields)

    refused(client, world, "init", world.proven(world.params("init")), status=403, code="network_not_allowed")


# --- what the recipe covers


@app
def test_a_signed_call_fits_every_path_within_its_five_minutes(client, world):
    """Document 004's sign covers neither path nor method: docs/api says so, and that a token is better."""
    order = english.init(client=world.client, goods={world.card: 1}).purchase
    params = stamped(world.params("pay", order_sn=order.number))
    data(client, "pay", params, token="", REMOTE_ADDR=ELSEWHERE)

    assert data(client, "cancel", params, token="", REMOTE_ADDR=ELSEWHERE) == {}


def test_the_recipe_signs_a_list_as_its_json():
    """What docs/api works through: a nested value is its JSON with sorted keys and no spaces."""
    params = {"user_id": "1", "goods_list": [{"num": 1, "good_id": 1}]}

    text = signing.canonical(params=params, secret=SECRET)

    assert text == f'goods_list=[{{"good_id":1,"num":1}}]&user_id=1&key={SECRET}'
