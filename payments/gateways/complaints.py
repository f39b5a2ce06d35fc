"""What gateways and their adapters say when an account does not work, and what staff can do about it."""

import re

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

# Looked for in this order: what is said more exactly comes first. Much of it comes unsigned: it is told, and nothing
# follows from it.
_COMPLAINTS = [
    (
        r"timestamp|which is not now|TIME_?STAMP",
        _("The gateway finds the call too old or too new. Set this server's clock by NTP."),
    ),
    (
        r"isv\.(invalid|missing)-app-id|APPID_?NOT_?EXIST|appid不存在",
        _("The gateway does not know the app id. Copy it from the console; the sandbox has another one."),
    ),
    (
        r"APPID_?MCHID_?NOT_?MATCH|与appid不匹配|appid和mch_id不匹配",
        _("App id and merchant do not belong together. Bind them in the merchant's console."),
    ),
    (
        r"mch_?id不存在|商户号不存在|MCHID_?NOT_?EXIST|商户号有误",
        _("The gateway does not know the merchant id. Copy it from the merchant's console."),
    ),
    (
        r"isv\.app-cert-not-exist|isv\.missing-app-cert-sn",
        _("Alipay does not know app_cert for this app. Download it from the console again."),
    ),
    (r"alipay-root-cert", _("root_cert is not Alipay's root certificate. Download it from the console again.")),
    (
        r"serial_no|证书序列号|序列号有误",
        _("WeChat Pay does not know serial_no for this merchant. It is that of the merchant's own certificate."),
    ),
    (
        r"isv\.(invalid|missing)-signature|SIGN_?ERROR|签名错误|验签失败|错误的签名",
        _("The gateway refuses our signature: the key in the account is not the one that its console knows."),
    ),
    (
        r"signed with an unknown key",
        _(
            "The answer is signed with a key of WeChat Pay that the account lacks. Add the public key or the platform "
            "certificate of that serial number."
        ),
    ),
    (
        r"wrong signature",
        _("The answer is not signed with the gateway's key in the account. Copy the gateway's public key again."),
    ),
    (
        r"insufficient|NO_?AUTH|PRODUCT_AUTH|ACCESS_FORBIDDEN|permission",
        _("The keys are right, but the merchant may not do this. Sign the contract for it in the console."),
    ),
    (r"HTTP 30\d|HTTP 40[45]|not JSON|not XML|neither", _("What answers there is no gateway. Check the base URL.")),
    (r"HTTP 5\d\d|SYSTEM_?ERROR", _("The gateway is out of order. Try again later.")),
]

# Adapters know no Django, so what they say of an account is marked for translation here.
ADAPTERS_SAY = (
    gettext_noop("a certificate without an RSA key"),
    gettext_noop("api_key must have 32 characters"),
    gettext_noop("api_v3_key has 32 characters; the v2 key is another one"),
    gettext_noop("app_cert is not the certificate of private_key"),
    gettext_noop("app_id and merchant_id are both needed"),
    gettext_noop("app_id and seller_id are both needed"),
    gettext_noop("app_id is needed"),
    gettext_noop("base_url must be absolute"),
    gettext_noop("certificate mode needs app_cert, alipay_cert and root_cert"),
    gettext_noop("client_cert and client_key belong together: one of them is missing"),
    gettext_noop("client_cert and client_key must be a certificate and its key, unencrypted, as PEM"),
    gettext_noop("client_key is not the key of client_cert"),
    gettext_noop("merchant_id is WeChat's merchant number (mchid)"),
    gettext_noop("no RSA certificate"),
    gettext_noop("not an RSA private key"),
    gettext_noop("not an RSA public key"),
    gettext_noop("oauth_page_url and oauth_api_url must be absolute"),
    gettext_noop("public_key and public_key_id belong together"),
    gettext_noop("public_key with public_key_id, or platform_certificates, is needed"),
    gettext_noop("public_key_id begins with PUB_KEY_ID_"),
    gettext_noop("serial_no is the hexadecimal serial number of the merchant's own certificate"),
    gettext_noop("this is the application's public key; Alipay's own is needed"),
    gettext_noop("this is the merchant's own key or certificate; WeChat Pay's is needed"),
)


def translated(said: str) -> str:
    """Return an adapter's sentence translated, the field that stands before it (`public_key: …`) as it is."""
    field, colon, rest = said.partition(": ")
    if colon and field.isidentifier():
        return f"{field}: {translated(rest)}"
    return gettext(said) if said in ADAPTERS_SAY else said


def explained(said: str) -> str:
    """Return what to do about a gateway's words."""
    for pattern, sentence in _COMPLAINTS:
        if re.search(pattern, said):
            return str(sentence)
    return gettext("The gateway gave no answer that can be believed. Its own words follow.")
