"""Every exception of an API view becomes a refusal in the family's envelope. Nothing else is ever told to a caller."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, cast

import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings

from payments.errors import OnetillError
from payments.transactions import DATABASE_TROUBLE, DatabaseBusy
from payments.wire.envelopes import ENVELOPES, Refusal

DEFAULT_FAMILY = "payments"  # of a view that is no family's, such as the schema
RETRY_AFTER_SECONDS = 1
MISSING = {"required", "null", "blank", "empty"}  # rest_framework's own codes for a value that is not there

log = structlog.get_logger(__name__)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer for `error`. A client set to `always_http_200` gets the same body with 200, below 500."""
    request, view = context["request"], context["view"]
    refusal = dataclasses.replace(refusal_of(error), answers_a_list=getattr(view, "answers_a_list", False))
    status, headers = refusal.status, dict(refusal.headers)
    client = getattr(request, "client", None)  # set as soon as the token is known, so also when the sign is wrong
    if status < 500 and client is not None and client.always_http_200:
        status = 200
    if status == 401:
        headers["WWW-Authenticate"] = view.get_authenticate_header(request) or "Token"
    log.info("refused", reason=refusal.code, status=refusal.status, fields=list(refusal.fields))
    envelope = ENVELOPES[getattr(view, "family", DEFAULT_FAMILY)]
    return Response(envelope.refusal(refusal), status=status, headers=headers)


def refusal_of(error: Exception) -> Refusal:
    """Translate `error`. What nobody foresaw is logged with its traceback and told as `internal_error`."""
    match error:
        case OnetillError():
            return _of_ours(error)
        case exceptions.ValidationError():
            return _of_validation(error)
        case exceptions.APIException():
            return _of_rest_framework(error)
    if isinstance(error, DATABASE_TROUBLE):
        return _of_ours(DatabaseBusy(error))
    return _of_django(error)


def _of_ours(error: OnetillError) -> Refusal:
    sentence = error.sentence()
    return Refusal(
        status=error.status,
        code=error.code,
        message=sentence,
        fields={error.field: [sentence]} if error.field else {},
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == 503 else {},
    )


def _of_validation(error: exceptions.ValidationError) -> Refusal:
    fields = _flat(error.detail)
    first = next(iter(fields.values()))[0]
    return Refusal(
        status=400,
        code="missing_field" if first.code in MISSING else "invalid_field",
        message=str(first),
        fields={name: [str(detail) for detail in details] for name, details in fields.items() if name},
    )


def _flat(detail: Any, path: str = "") -> dict[str, list[exceptions.ErrorDetail]]:
    """Return path → details of rest_framework's nested error detail; what blames no field stands under ''."""
    if isinstance(detail, exceptions.ErrorDetail):
        return {path: [detail]}
    pairs = detail.items() if isinstance(detail, dict) else enumerate(detail)
    flat: dict[str, list[exceptions.ErrorDetail]] = {}
    for name, below in pairs:
        leaf = isinstance(below, exceptions.ErrorDetail) or name == api_settings.NON_FIELD_ERRORS_KEY
        for where, details in _flat(below, path if leaf else f"{path}.{name}".lstrip(".")).items():
            flat.setdefault(where, []).extend(details)
    return flat


def _of_rest_framework(error: exceptions.APIException) -> Refusal:
    headers: dict[str, str] = {}
    match error:
        case exceptions.Throttled():
            code, message = "slow_down", _("Too many calls. Wait, then send the call again.")
            headers = {"Retry-After": str(max(1, math.ceil(cast("Any", error).wait or 0)))}
        case exceptions.MethodNotAllowed():
            code, message = "method_not_allowed", _("This address does not answer that method. See the Allow header.")
        case exceptions.NotFound():
            code, message = "not_found", _("There is no such thing, or it is not yours. Check the number.")
        case exceptions.PermissionDenied():
            code, message = "not_permitted", _("You may not do this. Ask the operator for the permission.")
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            code, message = "token_missing", _("Send your token as Authorization: Token <token>.")
        case _:
            code, message = error.default_code, str(error.detail)
    return Refusal(status=error.status_code, code=code, message=message, headers=headers)


def _of_django(error: Exception) -> Refusal:
    match error:
        case Http404():
            return _of_rest_framework(exceptions.NotFound())
        case PermissionDenied():
            return _of_rest_framework(exceptions.PermissionDenied())
        case SuspiciousOperation() | UnreadablePostError():
            return Refusal(status=400, code="malformed", message=_("The call cannot be read. Send it whole and plain."))
    log.error("internal_error", exc_info=error)
    message = _("Something went wrong here; it has been noted. Ask for the state before you send the call again.")
    return Refusal(status=500, code="internal_error", message=message)
