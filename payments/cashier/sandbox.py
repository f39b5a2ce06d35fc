"""In the sandbox nobody holds a phone with WeChat or Alipay on it: the simulator has pages that play the part."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.conf import settings

from payments.models import Charge


def scan_url(*, charge: Charge, code: str) -> str:
    """Return the page that scans `code`, "" where the charge is not at the simulator."""
    if not _is_simulated(charge):
        return ""
    if code.startswith(f"{settings.SIMULATOR_URL}/"):
        return code  # what Alipay's codes hold is an address, which a browser opens too
    return f"{settings.SIMULATOR_URL}/wechat/scan/?{urlencode({'code': code})}"


def jsapi_url(*, charge: Charge, call: Mapping[str, str], return_url: str) -> str:
    """Return the page that plays WeChat called by a page (JSAPI), "" where the charge is not at the simulator."""
    if not _is_simulated(charge):
        return ""
    return f"{settings.SIMULATOR_URL}/wechat/jsapi/?{urlencode({**call, 'return_url': return_url})}"


def _is_simulated(charge: Charge) -> bool:
    account = charge.gateway_account
    if account is None or not settings.SIMULATOR_URL:
        return False
    return f"{account.base_url}/".startswith(f"{settings.SIMULATOR_URL}/")
