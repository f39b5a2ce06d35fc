"""The demonstration's merchants: one at Alipay, one at WeChat Pay, both played by the simulator, whose port moves."""

from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from payments.gateways.models import GatewayKind
from payments.models import ApiClient, GatewayAccount
from payments.transactions import transaction

NAME = "怡安优选"
ALIPAY_APP_ID, ALIPAY_SELLER_ID = "2021000000000001", "2088000000000001"
ALIPAY_SELLER_EMAIL = "shop@example.com"
WECHAT_APP_ID, WECHAT_MCH_ID = "wx0e77110000000001", "1800000001"
SIMULATOR_SECONDS = 10.0


class SimulatorUnreachable(Exception):
    """SIMULATOR_URL names nothing that answers."""


def connect(*, simulator_url: str, v2_clients: list[ApiClient]) -> None:
    """
    Register our merchants at the simulator and point the demo's accounts at it.

    WeChat's merchant speaks both protocols, as real ones do: APIv3 for every client, v2 for `v2_clients`.
    """
    alipay = _account(kind=GatewayKind.ALIPAY, app_id=ALIPAY_APP_ID)
    _connect_alipay(alipay, simulator_url=simulator_url)
    v3 = _account(kind=GatewayKind.WECHAT_V3, app_id=WECHAT_APP_ID)
    v2 = [_account(kind=GatewayKind.WECHAT_V2, app_id=WECHAT_APP_ID, client=client) for client in v2_clients]
    _connect_wechat(v3=v3, v2=v2, simulator_url=simulator_url)
    with transaction():
        for account in (alipay, v3, *v2):
            account.notify_base = settings.BASE_URL
            account.save()


def _connect_alipay(account: GatewayAccount, *, simulator_url: str) -> None:
    pem = account.credentials().get("private_key") or _new_private_key()
    merchant = _register(
        simulator_url,
        {"app_id": ALIPAY_APP_ID, "seller_id": ALIPAY_SELLER_ID, "name": NAME, "app_public_key": _public_pem(pem)},
    )
    account.merchant_id = ALIPAY_SELLER_ID
    account.base_url = merchant["gateway_url"]
    account.options = {"alipay_public_key": merchant["alipay_public_key"], "seller_email": ALIPAY_SELLER_EMAIL}
    account.set_credentials({"private_key": pem})


def _connect_wechat(*, v3: GatewayAccount, v2: list[GatewayAccount], simulator_url: str) -> None:
    pem = v3.credentials().get("private_key") or _new_private_key()
    merchant = _register(
        simulator_url,
        {
            "gateway": "wechat",
            "app_id": WECHAT_APP_ID,
            "mch_id": WECHAT_MCH_ID,
            "mode": "grey",  # signs with the public key and with a certificate, by turns
            "name": NAME,
            "app_public_key": _public_pem(pem),
        },
    )
    oauth = {"oauth_page_url": simulator_url, "oauth_api_url": simulator_url}
    v3.options = oauth | {
        "serial_no": merchant["app_cert_sn"],
        "public_key_id": merchant["platform_public_key_id"],
        "public_key": merchant["platform_public_key"],
        "platform_certificates": "".join(merchant["platform_certificates"]),
    }
    v3.set_credentials({"private_key": pem, "api_v3_key": merchant["api_v3_key"], "app_secret": merchant["app_secret"]})
    for account in v2:
        account.options = oauth | {"client_cert": merchant["app_certificate"]}
        account.set_credentials(
            {"client_key": pem, "api_key": merchant["api_key"], "app_secret": merchant["app_secret"]}
        )
    for account in (v3, *v2):
        account.merchant_id, account.base_url = WECHAT_MCH_ID, merchant["base_url"]


def _account(*, kind: GatewayKind, app_id: str, client: ApiClient | None = None) -> GatewayAccount:
    account = GatewayAccount.objects.filter(kind=kind, client=client, app_id=app_id).first()
    name = f"模拟器 · {client}" if client else "模拟器"
    return account or GatewayAccount(kind=kind, client=client, app_id=app_id, name=name)


def _register(simulator_url: str, merchant: dict[str, str]) -> dict[str, Any]:
    try:
        answer = httpx.post(
            f"{simulator_url}/control/merchants/", json=merchant, timeout=SIMULATOR_SECONDS, trust_env=False
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise SimulatorUnreachable(f"The simulator at {simulator_url} does not answer: {error}") from error
    registered: dict[str, Any] = answer.json()
    return registered


def _public_pem(private_pem: str) -> str:
    key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def _new_private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
