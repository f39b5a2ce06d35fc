"""Why a caller is turned away. The codes are part of the contract."""

from django.utils.translation import gettext_lazy as _

from payments.errors import Malformed, NotFound, OnetillError


class NotAuthenticated(OnetillError):
    """The call does not prove who sent it."""

    status = 401
    code = "not_authenticated"


class NotPermitted(OnetillError):
    """We know who called, and they may not."""

    status = 403
    code = "not_permitted"


class TokenMissing(NotAuthenticated):
    code = "token_missing"
    message = _("Send your token as Authorization: Token <token>.")


class TokenUnknown(NotAuthenticated):
    """No client has it, or the client or its service account is switched off: one answer for all."""

    code = "token_unknown"
    message = _("The token is not valid. Check it, or ask the operator for a new one.")


class TimestampMissing(Malformed):
    code = "missing_field"
    message = _("Send the time of the call, as Unix seconds for example.")


class TimestampUnreadable(Malformed):
    code = "invalid_field"
    message = _("Send Unix seconds, Unix milliseconds, or YYYY-MM-DD HH:MM:SS in Asia/Shanghai.")


class TimestampExpired(NotAuthenticated):
    code = "timestamp_expired"
    message = _("The timestamp is not within %(seconds)s seconds of now. Set your clock and sign the call again.")


class SignMissing(NotAuthenticated):
    code = "sign_missing"
    message = _("Sign the call with your secret and send the sign.")


class SignWrong(NotAuthenticated):
    code = "sign_wrong"
    message = _("The sign does not fit the parameters. Check the recipe, the signing method and the secret.")


class Splittable(Malformed):
    """The sign joins parameters with `&`: it fits the value and what the value could be split into."""

    code = "invalid_field"
    message = _("Must not contain &.")


class AppIdUnreadable(Malformed):
    code = "invalid_field"
    message = _("Send a whole number of at most 9 digits, without a sign.")


class AppUnknown(NotFound):
    """No client has it, or its client is switched off, serves other families or is not the token's: one answer."""

    code = "app_unknown"
    message = _("There is no such app. Send the app_id that the operator gave you.")


class NetworkNotAllowed(NotPermitted):
    code = "network_not_allowed"
    message = _("You may not call from this network. Ask the operator to list its address.")


class FamilyNotServed(NotPermitted):
    code = "family_not_served"
    message = _("Your token is not for this API. Ask the operator to open it for you.")


class PermissionMissing(NotPermitted):
    code = "permission_missing"
    message = _("Your client lacks the permission %(name)s. Ask the operator for it.")
