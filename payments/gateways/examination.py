"""
Does a merchant account work? What staff would otherwise learn from the first customer who cannot pay.

One harmless question decides most of it: the state of a payment that never was. "There is none", under a signature
that holds, proves address, keys and clock. What the gateway says instead is told in words; its own follow.
"""

import dataclasses
import datetime
import enum
import re
import secrets
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from django.conf import settings
from django.utils.translation import gettext as _

from payments.gateways import limits, registry
from payments.gateways.alipay.gateway import AlipayAccount
from payments.gateways.base import Gateway, GatewayRefused, GatewayUnavailable, Mode, Outcome
from payments.gateways.complaints import explained, translated
from payments.gateways.http import HttpClient, Limits
from payments.gateways.keys import der, load_certificates
from payments.gateways.models import Channel, GatewayAccount, GatewayKind
from payments.gateways.wechat_v2.gateway import WechatV2Account
from payments.gateways.wechat_v3.gateway import WechatV3Account, WechatV3Gateway
from payments.secrets import CannotUnseal
from payments.transactions import outside_transaction

ADDRESSES: dict[str, str] = {
    GatewayKind.ALIPAY: AlipayAccount.base_url,
    GatewayKind.WECHAT_V2: WechatV2Account.base_url,
    GatewayKind.WECHAT_V3: WechatV3Account.base_url,
}
CERTIFICATES = ("app_cert", "alipay_cert", "root_cert", "client_cert", "platform_certificates")
EXPIRY_WARNING_DAYS = 30
CLOCK_WARNING_SECONDS = 60
CLOCK_ERROR_SECONDS = 300  # WeChat Pay APIv3 takes nothing that is further off
SAID_MAX = 300

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_http = HttpClient(limits=Limits(total_seconds=5))


class Level(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    sentence: str  # in the language of whoever asks
    said: str = ""  # the gateway's or the adapter's own words


@outside_transaction
def examine(account: GatewayAccount) -> list[Finding]:
    """
    Return everything there is to say of an account, as it is stored; the gateway is asked.

    :raises GatewayBusy: if all places for gateway calls are taken
    """
    found = [*_notify_address(account), *_certificates(account), *_wechat_login(account), *_refunds(account)]
    try:
        gateway = registry.GATEWAYS[account.kind](account)
    except CannotUnseal:
        return [_error(_("The secrets are sealed under a key that ENCRYPTION_KEYS does not hold.")), *found]
    except (TypeError, ValueError) as error:
        sentence = _("The account is not complete, so the gateway was not asked.")
        return [_error(sentence, said=translated(str(error))), *found]
    if account.kind == GatewayKind.MEMORY:
        return [Finding(level=Level.OK, sentence=_("This gateway lives in memory: nobody is asked.")), *found]
    with registry.place_for_a_call():
        return [*_asked(account, gateway), *found]


def worst(found: list[Finding]) -> Level:
    levels = {finding.level for finding in found}
    return next((level for level in (Level.ERROR, Level.WARNING) if level in levels), Level.OK)


# --- what the gateway says ------------------------------------------------------------------------------------------


def _asked(account: GatewayAccount, gateway: Gateway) -> Iterator[Finding]:
    address = account.base_url or ADDRESSES[account.kind]
    try:
        answer = _http.call("GET", address, headers={"User-Agent": "onetill"})
    except GatewayUnavailable as error:
        sentence = _("Nobody answers at %(address)s. Check the base URL, and that this server may call out.")
        yield _error(sentence % {"address": address}, said=str(error))
        return
    yield _clock(answer.headers.get("date", ""), now=datetime.datetime.now(datetime.UTC))
    yield _question(account, gateway)
    if isinstance(gateway, WechatV3Gateway) and account.options.get("platform_certificates"):
        yield _platform_certificates(account, gateway)


def _clock(date: str, *, now: datetime.datetime) -> Finding:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return _warning(_("The gateway does not say what time it is, so this server's clock could not be compared."))
    seconds = round(abs((now - theirs).total_seconds()))
    if seconds < CLOCK_WARNING_SECONDS:
        return _ok(_("This server's clock agrees with the gateway's."))
    sentence = _("This server's clock is %(seconds)s seconds off the gateway's. Set it by NTP.") % {"seconds": seconds}
    return _error(sentence) if seconds >= CLOCK_ERROR_SECONDS else _warning(sentence)


def _question(account: GatewayAccount, gateway: Gateway) -> Finding:
    """Ask about a payment that never was."""
    try:
        state = gateway.query_payment(f"examination_{secrets.token_hex(8)}")
    except (GatewayUnavailable, GatewayRefused) as error:
        said = str(error)
        return _error(explained(said), said=said[:SAID_MAX])
    if state.outcome is not Outcome.NOT_FOUND:
        sentence = _("The gateway knows a payment that was never made. Is the base URL a gateway's?")
        return _error(sentence, said=state.gateway_status)
    return _ok(_PROVEN[account.kind]())


def _platform_certificates(account: GatewayAccount, gateway: WechatV3Gateway) -> Finding:
    try:
        current = load_certificates("\n".join(gateway.download_certificates()))
    except (GatewayUnavailable, GatewayRefused) as error:
        sentence = _("WeChat Pay's platform certificates could not be downloaded. %(why)s")
        return _warning(sentence % {"why": explained(str(error))}, said=str(error)[:SAID_MAX])
    known = {found.serial_number for found in _read(account.options["platform_certificates"])}
    missing = [f"{found.serial_number:X}" for found in current if found.serial_number not in known]
    if missing:
        sentence = _("WeChat Pay has a platform certificate that the account lacks: %(serials)s. Add it to the others.")
        return _warning(sentence % {"serials": ", ".join(missing)})
    return _ok(_("The platform certificates are those that WeChat Pay gives out today."))


# --- what the account says ------------------------------------------------------------------------------------------


def _notify_address(account: GatewayAccount) -> Iterator[Finding]:
    address = registry.notify_url(account)
    parts = urlsplit(address)
    named = {"address": address}
    if not limits.is_absolute(address):
        yield _error(_("The notify URL %(address)s is not absolute: it begins with https:// and a host.") % named)
    elif parts.query or parts.fragment or "?" in account.notify_base:
        yield _error(_("The notify URL %(address)s has a query or a fragment: gateways take none.") % named)
    elif parts.scheme != "https":
        tell = _warning if settings.SANDBOX else _error
        yield tell(_("The notify URL %(address)s is not https: gateways do not call it.") % named)
    else:
        yield _ok(_("Notifications go to %(address)s.") % named)


def _certificates(account: GatewayAccount) -> Iterator[Finding]:
    now = datetime.datetime.now(datetime.UTC)
    for name in CERTIFICATES:
        for certificate in _read(str(account.options.get(name, ""))):
            yield _expiry(name, certificate, now=now)


def _expiry(name: str, certificate: x509.Certificate, *, now: datetime.datetime) -> Finding:
    ends = certificate.not_valid_after_utc
    told = {"name": name, "serial": f"{certificate.serial_number:X}", "day": f"{ends:%Y-%m-%d}"}
    if ends <= now:
        return _error(_("%(name)s %(serial)s has expired on %(day)s.") % told)
    if certificate.not_valid_before_utc > now:
        return _error(_("%(name)s %(serial)s is not valid yet. Is this server's clock right?") % told)
    told["days"] = str((ends - now).days)
    if ends - now <= datetime.timedelta(days=EXPIRY_WARNING_DAYS):
        return _warning(_("%(name)s %(serial)s expires in %(days)s days, on %(day)s.") % told)
    return _ok(_("%(name)s %(serial)s is valid until %(day)s.") % told)


def _read(pem: str) -> list[x509.Certificate]:
    """Return the certificates in `pem` that can be read: Alipay's root file also holds SM2 ones, which cannot."""
    found = []
    for block in _PEM.findall(pem):
        try:
            found.append(x509.load_der_x509_certificate(der(block)))
        except (ValueError, UnsupportedAlgorithm):
            continue
    return found


def _wechat_login(account: GatewayAccount) -> Iterator[Finding]:
    if account.channel != Channel.WECHAT or not account.serves(Mode.JSAPI) or _has(account, "app_secret"):
        return
    sentence = _(
        "Payments inside WeChat need the app secret, to learn who pays. Enter it, or check the other methods alone."
    )
    yield _error(sentence) if account.modes else _warning(sentence)


def _refunds(account: GatewayAccount) -> Iterator[Finding]:
    if account.kind == GatewayKind.WECHAT_V2 and not account.options.get("client_cert"):
        yield _warning(_("Without client_cert and client_key payments work and refunds do not."))


def _has(account: GatewayAccount, name: str) -> bool:
    try:
        return bool(account.credentials().get(name))
    except CannotUnseal:
        return True  # told already, and once


def _ok(sentence: str) -> Finding:
    return Finding(level=Level.OK, sentence=sentence)


def _warning(sentence: str, *, said: str = "") -> Finding:
    return Finding(level=Level.WARNING, sentence=sentence, said=said)


def _error(sentence: str, *, said: str = "") -> Finding:
    return Finding(level=Level.ERROR, sentence=sentence, said=said)


_PROVEN: dict[str, Callable[[], str]] = {
    GatewayKind.ALIPAY: lambda: _(
        "Alipay answers under its signature: app id and keys are right. The seller id shows with the first payment."
    ),
    GatewayKind.WECHAT_V2: lambda: _("WeChat Pay answers under its signature: app id, merchant and key are right."),
    GatewayKind.WECHAT_V3: lambda: _(
        "WeChat Pay answers under its signature: merchant and keys are right. The app id shows with the first payment."
    ),
}
