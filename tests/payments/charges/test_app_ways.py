"""Payments inside an app: some families' apps take WeChat Pay v2 under MD5 alone (WECHAT_V2_FAMILIES)."""

import datetime

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import queries
from payments.charges.queries import NoGatewayAccount
from payments.gateways.base import Mode
from payments.models import Charge, GatewayAccount, GatewayDefault
from tests.world import make_client, make_customer, place_by_balance

pytestmark = pytest.mark.django_db

V2, HMAC = {"kind": "wechat_v2"}, {"kind": "wechat_v2", "options": {"sign_type": "HMAC-SHA256"}}
MD5 = {"kind": "wechat_v2", "options": {"sign_type": "MD5"}}
V3, ALIPAY = {"kind": "wechat_v3"}, {"kind": "alipay"}


@pytest.fixture
def shop():
    return make_client(families=["english_app", "payments"])


def make(account, **fields):
    given = {**account, **fields}
    return GatewayAccount.objects.create(name="n", app_id=str(GatewayAccount.objects.count()), **given)


def owed_in_cash(shop):
    at = timezone.now()
    return place_by_balance(
        customer=make_customer(client=shop), family="english_app", balance_fen=0, points_first=False, at=at,
        expires_at=at + datetime.timedelta(minutes=30),
    )  # fmt: skip


def start(order):
    return charges.start(order_id=order.pk, channel="wechat", mode=Mode.APP, actor="test", at=timezone.now())


def account_for(shop, *, channel="wechat", mode=Mode.APP, family="english_app"):
    return queries.account_for(client_id=shop.pk, channel=channel, mode=mode, family=family)


@pytest.mark.parametrize("account", [V2, MD5])
def test_v2_under_md5_takes_them_be_it_said_or_left_unsaid(shop, account):
    made = make(account)

    assert account_for(shop) == made


@pytest.mark.parametrize("account", [V3, HMAC])
def test_no_other_account_does_though_it_is_the_chosen_one(shop, account):
    GatewayDefault.objects.create(client=shop, channel="wechat", mode="app", account=make(account, client=shop))

    with pytest.raises(NoGatewayAccount):
        account_for(shop)

    for_everybody = make(V2)
    assert account_for(shop) == for_everybody


def test_what_the_app_does_not_see_goes_by_any_account(shop):
    own, chosen = make(V3, client=shop), make(V2)

    assert account_for(shop) == chosen
    assert account_for(shop, family="payments") == own
    assert account_for(shop, mode=Mode.QR) == own
    assert queries.account_for(client_id=shop.pk, channel="wechat", mode=Mode.APP) == own


def test_alipay_is_what_it_was(shop):
    made = make(ALIPAY)

    assert account_for(shop, channel="alipay") == made


@pytest.mark.parametrize(
    ("accounts", "ways"),
    [
        ([ALIPAY, V2], ["wechat", "alipay"]),
        ([ALIPAY, V3, HMAC], ["alipay"]),
        ([V3, V2 | {"modes": ["qr", "app"]}], ["wechat"]),
        ([ALIPAY | {"modes": ["qr"]}, V2 | {"modes": ["qr"]}], []),
        ([V2 | {"is_active": False}], []),
    ],
)
def test_an_app_is_told_its_ways_before_there_is_an_order(shop, accounts, ways):
    for account in accounts:
        make(account)

    assert queries.app_ways(client_id=shop.pk, family="english_app") == ways


def test_another_family_s_app_takes_apiv3_too(shop):
    make(V3)

    assert queries.app_ways(client_id=shop.pk, family="payments") == ["wechat"]


def test_another_client_s_account_is_no_way(shop):
    make(V2, client=make_client(name="rival"))

    assert queries.app_ways(client_id=shop.pk, family="english_app") == []


def test_an_order_of_such_a_family_starts_at_v2_and_offers_no_app_elsewhere(shop):
    order = owed_in_cash(shop)
    make(V3)
    with pytest.raises(NoGatewayAccount):
        start(order)
    assert "app" not in queries.ways_to_pay(order=order)["wechat"]
    assert not Charge.objects.exists()

    v2 = make(V2)

    assert start(order).gateway_account == v2
    assert "app" in queries.ways_to_pay(order=order)["wechat"]
