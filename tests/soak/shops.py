"""Four shops, one for each way that merchants are set up at the gateways, each with a receiver of webhooks."""

import dataclasses

from payments.clients import operations as clients
from payments.clients.models import PointsPolicy
from payments.customers import grants
from payments.customers import operations as customers
from payments.customers.grants import GrantCommand
from payments.customers.profiles import Profile
from payments.customers.queries import Direction
from payments.ledger.accounts import Kind
from payments.models import GatewayAccount, WebhookEndpoint

CUSTOMERS = 6
OPENING_FEN = 3_000
PERMISSIONS = ("checkout.point_pay", "payments.grant_value")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """How a shop is set up. `closable_after_s`: how old an order must be before its WeChat closes it."""

    name: str
    sign_type: str
    points_policy: str
    alipay: str  # key or certificate
    wechat: str  # v2, v3
    signs: str  # v2: MD5, HMAC-SHA256; v3: public_key, certificate
    closable_after_s: int


SETTINGS = (
    Setting(
        name="soak-1", sign_type="MD5", points_policy=PointsPolicy.POINTS_FIRST,
        alipay="key", wechat="v2", signs="MD5", closable_after_s=0,
    ),
    Setting(
        name="soak-2", sign_type="HMAC-SHA256", points_policy=PointsPolicy.POINTS_LAST,
        alipay="certificate", wechat="v3", signs="public_key", closable_after_s=300,
    ),
    Setting(
        name="soak-3", sign_type="MD5", points_policy=PointsPolicy.POINTS_LAST,
        alipay="key", wechat="v2", signs="HMAC-SHA256", closable_after_s=300,
    ),
    Setting(
        name="soak-4", sign_type="HMAC-SHA256", points_policy=PointsPolicy.POINTS_FIRST,
        alipay="certificate", wechat="v3", signs="certificate", closable_after_s=0,
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shop:
    """A client with what it calls with, what its webhooks are signed with, and the user ids of its customers."""

    name: str
    token: str
    secret: str
    webhook_secret: str
    sign_type: str
    user_ids: tuple[str, ...]


def open_shops(*, simulator, notify_base, webhooks):
    """`webhooks` is where shops listen: each below its own name."""
    return [_open(setting, simulator=simulator, notify_base=notify_base, webhooks=webhooks) for setting in SETTINGS]


def _open(setting, *, simulator, notify_base, webhooks):
    keys = clients.create_client(
        name=setting.name, families=["checkout", "payments"], permissions=PERMISSIONS, actor="soak",
        sign_type=setting.sign_type, redirect_hosts=["www.example.com"],
    )  # fmt: skip
    keys.client.points_policy = setting.points_policy
    keys.client.save(update_fields=["points_policy"])
    alipay = simulator.register_merchant(mode=setting.alipay)
    wechat = simulator.register_wechat_merchant(
        closable_after_s=setting.closable_after_s,
        **({"mode": setting.signs} if setting.wechat == "v3" else {}),
    )
    for account, secrets in (
        (_alipay_account(alipay), {"private_key": alipay.app_private_key}),
        (_wechat_account(wechat, setting), _wechat_secrets(wechat, setting)),
    ):
        account.client, account.name, account.notify_base = keys.client, setting.name, notify_base
        account.set_credentials(secrets)
        account.save()
    WebhookEndpoint.objects.create(client=keys.client, url=f"{webhooks}/{setting.name}")
    user_ids = tuple(str(100 + n) for n in range(CUSTOMERS))
    for user_id in user_ids:
        _make_customer(client=keys.client, user_id=user_id)
    return Shop(
        name=setting.name, token=keys.token, secret=keys.secret, webhook_secret=keys.webhook_secret,
        sign_type=setting.sign_type, user_ids=user_ids,
    )  # fmt: skip


def _alipay_account(merchant):
    options = {"alipay_public_key": merchant.alipay_public_key}
    if merchant.mode == "certificate":
        options = {
            "app_cert": merchant.app_certificate,
            "alipay_cert": merchant.alipay_certificate,
            "root_cert": merchant.alipay_root_certificate,
        }
    return GatewayAccount(
        kind="alipay", app_id=merchant.app_id, merchant_id=merchant.seller_id, base_url=merchant.gateway_url,
        options=options,
    )  # fmt: skip


def _wechat_account(merchant, setting):
    options = {"sign_type": setting.signs}
    if setting.wechat == "v3":
        options = {"serial_no": merchant.app_cert_sn, **platform_keys(dataclasses.asdict(merchant))}
    return GatewayAccount(
        kind=f"wechat_{setting.wechat}", app_id=merchant.app_id, merchant_id=merchant.mch_id,
        base_url=merchant.base_url, options=options,
    )  # fmt: skip


def _wechat_secrets(merchant, setting):
    if setting.wechat == "v2":
        return {
            "api_key": merchant.api_key,
            "client_cert": merchant.app_certificate,
            "client_key": merchant.app_private_key,
        }
    return {"private_key": merchant.app_private_key, "api_v3_key": merchant.api_v3_key}


def platform_keys(merchant):
    if merchant["mode"] == "certificate":
        return {"platform_certificates": "".join(merchant["platform_certificates"])}
    return {"public_key_id": merchant["platform_public_key_id"], "public_key": merchant["platform_public_key"]}


def _make_customer(*, client, user_id):
    profile = Profile(user_id=user_id, ee_no=f"a{user_id}", real_name="张三")
    customers.save_customer(client_id=client.pk, profile=profile, actor="soak")
    opening = GrantCommand(
        grant_no=f"opening-{user_id}", kind=Kind.POINTS, direction=Direction.IN, amount_fen=OPENING_FEN
    )  # fmt: skip
    grants.grant(client_id=client.pk, user_id=user_id, command=opening, actor="soak")
