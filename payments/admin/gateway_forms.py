"""What staff enter for a merchant account: of each kind of gateway, what that kind needs, in words."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from payments.admin.base import WriteOnlyTextarea
from payments.gateways import registry
from payments.gateways.base import Mode
from payments.gateways.complaints import translated
from payments.gateways.models import MODE_CHOICES, GatewayKind
from payments.gateways.wechat_oauth import WechatOAuth
from payments.gateways.wechat_v2.codec import SIGN_TYPES
from payments.models import GatewayDefault
from payments.secrets import CannotUnseal

OAUTH = ("oauth_page_url", "oauth_api_url")
# kind: what may be seen, what may not
OPTIONS: dict[str, tuple[str, ...]] = {
    GatewayKind.ALIPAY: (
        "alipay_public_key",
        "app_cert",
        "alipay_cert",
        "root_cert",
        "seller_email",
        "fee_per_mille",
    ),
    GatewayKind.WECHAT_V2: ("sign_type", "client_cert", *OAUTH, "fee_per_mille"),
    GatewayKind.WECHAT_V3: (
        "serial_no",
        "public_key_id",
        "public_key",
        "platform_certificates",
        *OAUTH,
        "fee_per_mille",
    ),
    GatewayKind.MEMORY: ("fee_per_mille",),
}
SECRETS: dict[str, tuple[str, ...]] = {
    GatewayKind.ALIPAY: ("private_key", "aes_key"),
    GatewayKind.WECHAT_V2: ("api_key", "client_key", "app_secret"),
    GatewayKind.WECHAT_V3: ("private_key", "api_v3_key", "app_secret"),
    GatewayKind.MEMORY: (),
}
NEEDED: dict[str, tuple[str, ...]] = {
    GatewayKind.ALIPAY: ("merchant_id", "private_key"),
    GatewayKind.WECHAT_V2: ("merchant_id", "api_key"),
    GatewayKind.WECHAT_V3: ("merchant_id", "serial_no", "private_key", "api_v3_key"),
    GatewayKind.MEMORY: (),
}
KEPT = _("Empty: the stored one stays.")
# What an adapter says without naming a field of the form, and the field that it means.
_MEANT = {
    "seller_id": "merchant_id",
    "private key": "private_key",
    "public key": "alipay_public_key",
    "no RSA certificate": "alipay_cert",
}


def _pem(label: Any, help_text: Any) -> forms.CharField:
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"})
    return forms.CharField(label=label, required=False, help_text=help_text, widget=widget)


def _line(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, help_text=help_text, widget=UnfoldAdminTextInputWidget)


def _secret(label: Any, help_text: Any) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, required=False, help_text=help_text, widget=widget)


def _secret_pem(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, help_text=help_text, widget=WriteOnlyTextarea)


def _address(label: Any, help_text: Any) -> forms.URLField:
    return forms.URLField(
        label=label, required=False, help_text=help_text, widget=UnfoldAdminURLInputWidget, assume_scheme="https"
    )


class GatewayAccountForm(forms.ModelForm):  # type: ignore[type-arg]
    modes = forms.MultipleChoiceField(
        label=_("Methods"),
        choices=MODE_CHOICES,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("What the merchant's contract with the gateway allows. None checked: everything."),
    )
    alipay_public_key = _pem(
        _("Alipay's public key"),
        _("Key mode: from the console, under the app's signing settings. Not the app's own public key."),
    )
    app_cert = _pem(_("App certificate"), _("Certificate mode: appCertPublicKey_….crt, as PEM."))
    alipay_cert = _pem(
        _("Alipay's certificate"),
        _("Certificate mode: alipayCertPublicKey_RSA2.crt. While it is being exchanged, the next one below it."),
    )
    root_cert = _pem(_("Alipay's root certificate"), _("Certificate mode: alipayRootCert.crt, whole."))
    seller_email = forms.EmailField(
        label=_("The merchant's e-mail address at Alipay"),
        required=False,
        help_text=_("Told to apps whose interface asks for it. Empty: they are told none."),
        widget=UnfoldAdminEmailInputWidget,
    )
    sign_type = forms.ChoiceField(
        label=_("Signing method"),
        required=False,
        choices=[("", _("as WeChat Pay has it: MD5")), *((name, name) for name in SIGN_TYPES)],
        widget=UnfoldAdminSelectWidget,
    )
    client_cert = _pem(_("Merchant's certificate"), _("apiclient_cert.pem. Refunds need it, with its key."))
    serial_no = _line(
        _("Serial number of the merchant's certificate"),
        _("From the merchant's console, under API security. Hexadecimal."),
    )
    public_key_id = _line(_("ID of WeChat Pay's public key"), _("Begins with PUB_KEY_ID_. Belongs to the key below."))
    public_key = _pem(_("WeChat Pay's public key"), _("pub_key.pem. New merchants have this in place of certificates."))
    platform_certificates = _pem(
        _("Platform certificates"),
        _("WeChat Pay's, PEM below PEM. While a merchant is moved to the public key, both are needed."),
    )
    oauth_page_url = _address(_("WeChat log-in page"), _("Empty: WeChat's own. For payments inside WeChat."))
    oauth_api_url = _address(_("WeChat log-in API"), _("Empty: WeChat's own."))
    fee_per_mille = forms.CharField(
        label=_("Fee, per mille"),
        required=False,
        validators=[RegexValidator(r"\A[0-9]{1,3}(\.[0-9]{1,3})?\Z", _("Enter a rate such as 6 or 3.8."))],
        help_text=_("What the gateway keeps of each payment, as agreed: 6 is 0.6 %. Empty: its fees are not judged."),
        widget=UnfoldAdminTextInputWidget,
    )
    private_key = _secret_pem(
        _("New private key"),
        _("Alipay: the app's. WeChat Pay: apiclient_key.pem. PEM or bare base64. Empty: the stored one stays."),
    )
    client_key = _secret_pem(_("New key of the merchant's certificate"), _("apiclient_key.pem, as PEM. Empty: kept."))
    aes_key = _secret(_("New AES key"), KEPT)
    api_key = _secret(_("New API key (v2)"), _("32 characters, set in the console. Empty: the stored one stays."))
    api_v3_key = _secret(
        _("New APIv3 key"), _("32 characters, set in the console; not the v2 key. Empty: the stored one stays.")
    )
    app_secret = _secret(
        _("New app secret"),
        _("Of the official account: tells who pays inside WeChat. Empty: the stored one stays."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for names in OPTIONS.values():
            for name in names:
                self.initial.setdefault(name, self.instance.options.get(name, ""))
        if self.instance.pk:  # its kind is settled
            known = GatewayKind(self.instance.kind).modes
            modes: Any = self.fields["modes"]
            modes.choices = [choice for choice in MODE_CHOICES if choice[0] in known]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        kind = self._kind()
        unknown = [mode for mode in given.get("modes", []) if kind and mode not in GatewayKind(kind).modes]
        if unknown:
            names = ", ".join(str(label) for mode, label in MODE_CHOICES if mode in unknown)
            self.add_error("modes", _("This kind of gateway does not have: %(names)s.") % {"names": names})
        return given

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        kind = self._kind()
        if not kind:
            return
        self._take_over(kind)
        for name in NEEDED[kind]:
            if not self._has(name):
                self.add_error(name, _("This kind of gateway needs it."))
        self._check_app(kind)
        if not self.errors:
            self._try(kind)

    def _check_app(self, kind: str) -> None:
        """A client's own account must not take payments inside its app that the app would not understand."""
        account = self.instance
        client = account.client
        if client and account.serves(Mode.APP) and not account.suits(Mode.APP, families=client.families):
            sentence = _("The app of %(client)s takes WeChat Pay v2 under MD5 alone. Uncheck “inside an app” here.")
            field = "sign_type" if kind == GatewayKind.WECHAT_V2 else "modes"
            self.add_error(field, ValidationError(sentence, params={"client": str(client)}))

    def _kind(self) -> str:
        """The chosen kind; of an account that exists, its own for good."""
        chosen: str = self.cleaned_data.get("kind") or (self.instance.kind if "kind" not in self.fields else "")
        return chosen

    def _take_over(self, kind: str) -> None:
        given = self.cleaned_data
        self.instance.options = {name: given[name] for name in OPTIONS[kind] if given.get(name)}
        fresh = {name: given[name] for name in SECRETS[kind] if given.get(name)}
        if fresh:
            self.instance.set_credentials(self._stored() | fresh)

    def _stored(self) -> dict[str, Any]:
        try:
            stored: dict[str, Any] = self.instance.credentials()
        except CannotUnseal:
            return {}  # whoever enters them anew need not be able to read the old ones
        return stored

    def _has(self, name: str) -> bool:
        return bool(self.cleaned_data.get(name) or self._stored().get(name))

    def _try(self, kind: str) -> None:
        """Let the adapter judge: it says best what it cannot work with."""
        try:
            registry.GATEWAYS[kind](self.instance)
            if kind in {GatewayKind.WECHAT_V2, GatewayKind.WECHAT_V3}:
                addresses = {name: value for name, value in self.instance.options.items() if name in OAUTH}
                WechatOAuth(app_id=self.instance.app_id, app_secret="", **addresses)
        except (ValueError, TypeError) as error:
            said = str(error)
            why = ValidationError(_("The account cannot work like this: %(why)s"), params={"why": translated(said)})
            self.add_error(self._blamed(said, kind), why)

    def _blamed(self, said: str, kind: str) -> str | None:
        """The field that the adapter's sentence is about: the first that it names, or else means."""
        names = {"app_id", "merchant_id", "base_url", *OPTIONS[kind], *SECRETS[kind]}
        named = (word for word in re.findall(r"\w+", said) if word in names)
        meant = (name for words, name in _MEANT.items() if words in said and name in names)
        return next(iter([*named, *meant]), None)


class GatewayDefaultForm(forms.ModelForm):  # type: ignore[type-arg]
    """A choice that can work: an active account, which serves the method and may take that client's money."""

    class Meta:
        model = GatewayDefault
        fields = ("client", "mode", "account")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """In a table beside an account the columns have headings and the fields no labels: they are read aloud too."""
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        account = given.get("account") or (self.instance.account if self.instance.account_id else None)
        mode = given.get("mode")
        if account is None or not mode:
            return given
        self.instance.channel = account.channel
        client = given.get("client")
        if not account.is_active:
            raise ValidationError(_("The account is switched off."))
        if not account.serves(mode):
            self.add_error("mode", _("The account does not serve this method."))
        if account.client_id is not None and account.client_id != (client.pk if client else None):
            self.add_error("client", _("The account is another client's: it takes that client's money alone."))
        if client and not account.suits(mode, families=client.families):
            sentence = _("Its app takes WeChat Pay v2 under MD5 alone, which this account is not.")
            self.add_error("client", sentence)
        others = GatewayDefault.objects.filter(client=client, channel=account.channel, mode=mode)
        other = others.exclude(pk=self.instance.pk).select_related("account").first()
        if other is not None:
            sentence = _("%(account)s is the default for this already. Change that one.")
            raise ValidationError(sentence, params={"account": str(other.account)})
        return given
