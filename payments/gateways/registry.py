"""From a GatewayAccount row to the adapter that speaks for it."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from payments.errors import TryAgain
from payments.gateways.alipay.gateway import AlipayAccount, AlipayGateway
from payments.gateways.base import Adapter
from payments.gateways.calls import CountedAdapter
from payments.gateways.memory import MemoryGateway
from payments.gateways.models import GatewayAccount, GatewayKind
from payments.gateways.wechat_v2.gateway import WechatV2Account, WechatV2Gateway
from payments.gateways.wechat_v3.gateway import WechatV3Account, WechatV3Gateway
from payments.secrets import CannotUnseal


def _alipay(account: GatewayAccount) -> Adapter:
    return AlipayGateway(AlipayAccount(app_id=account.app_id, seller_id=account.merchant_id, **_settings(account)))


def _wechat_v2(account: GatewayAccount) -> Adapter:
    return WechatV2Gateway(
        WechatV2Account(app_id=account.app_id, merchant_id=account.merchant_id, **_settings(account))
    )


def _wechat_v3(account: GatewayAccount) -> Adapter:
    return WechatV3Gateway(
        WechatV3Account(app_id=account.app_id, merchant_id=account.merchant_id, **_settings(account))
    )


def _settings(account: GatewayAccount) -> dict[str, str]:
    """Return what an adapter takes beside the ids: address (empty: the real gateway's), options and secrets."""
    found = {"base_url": account.base_url} if account.base_url else {}
    found |= {name: value for name, value in account.options.items() if name not in NOT_THE_ADAPTERS}
    return found | {name: value for name, value in account.credentials().items() if name not in NOT_THE_ADAPTERS}


def _memory(account: GatewayAccount) -> Adapter:
    return MemoryGateway(merchant_id=account.app_id)


GATEWAYS: dict[str, Callable[[GatewayAccount], Adapter]] = {
    GatewayKind.WECHAT_V3: _wechat_v3,
    GatewayKind.WECHAT_V2: _wechat_v2,
    GatewayKind.ALIPAY: _alipay,
    GatewayKind.MEMORY: _memory,
}
NOTIFY_PATHS: dict[str, str] = {
    GatewayKind.WECHAT_V3: "/rest/pub/wx/pay_notify",
    GatewayKind.WECHAT_V2: "/rest/pub/wx/pay_notify",
    GatewayKind.ALIPAY: "/rest/pub/ali/pay_notify",
    GatewayKind.MEMORY: "/rest/pub/memory/pay_notify",
}

# What an account needs to ask WeChat who a visitor is (payments.gateways.wechat_oauth): not the adapters' business.
OAUTH_SETTINGS = ("oauth_page_url", "oauth_api_url", "app_secret")
NOT_THE_ADAPTERS = (*OAUTH_SETTINGS, "seller_email", "fee_per_mille")

log = structlog.get_logger(__name__)

# At most half of a process's threads wait for gateways at once: the rest go on serving.
_places = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


class GatewayMisconfigured(TryAgain):
    """The account's keys or options do not fit together: staff must mend it. Other ways to pay go on."""

    code = "gateway_misconfigured"
    message = _("This way to pay is out of order. Choose another one.")


class GatewayBusy(TryAgain):
    code = "gateway_busy"
    message = _("Too many payments are being started. Try again in a moment.")


def adapter(account: GatewayAccount) -> Adapter:
    """
    Return the adapter of an account, its calls counted. It is kept, with its connections, until the account changes.

    :raises GatewayMisconfigured: if the account's keys or options do not fit together
    """
    try:
        return _adapter(account.pk, account.updated_at.isoformat())
    except (TypeError, ValueError, CannotUnseal) as error:
        log.exception("gateway_misconfigured", account=account.pk)
        raise GatewayMisconfigured from error


@functools.lru_cache(maxsize=64)
def _adapter(account_id: int, version: str) -> Adapter:
    account = GatewayAccount.objects.get(pk=account_id)
    return CountedAdapter(GATEWAYS[account.kind](account), account_id=account_id)


def notify_url(account: GatewayAccount) -> str:
    """Return the absolute address at which the gateway reaches us for this account."""
    return (account.notify_base or settings.BASE_URL).rstrip("/") + NOTIFY_PATHS[account.kind]


@contextmanager
def place_for_a_call() -> Iterator[None]:
    """
    Take one of the places for gateway calls of this process.

    :raises GatewayBusy: at once, if all are taken
    """
    if not _places.acquire(blocking=False):
        raise GatewayBusy
    try:
        yield
    finally:
        _places.release()
