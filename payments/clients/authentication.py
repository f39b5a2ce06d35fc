"""
Who calls: token, network, family, app, timestamp and sign, in this order, with one SQL statement.

What a view asks for stands on the view (`FamilyViewSet`); a timestamp or sign that it does not ask for is checked
where it is sent. A call without a token is the client's that the view has for such calls: the family's default client,
or the one that the call's `app_id` names. Then its sign is all that proves it, and is asked for whatever the view says;
so is, where an `app_id` names the client, the timestamp; and no value may hold what the sign joins with. A client's
`unsigned_from` lists networks whose calls need neither timestamp nor sign, even then.
"""

import datetime
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

from payments.clients import errors, queries, signing
from payments.clients.models import ApiClient
from payments.clients.networks import caller
from payments.wire.fields import UnreadableTimestamp, WholeNumberField, read_timestamp
from payments.wire.forms import parameters
from payments.wire.parsers import shown

SCHEMES = {"token", "bearer"}
DEFAULT_APP_ID = 1  # document 004's, of a call that names none


class ClientAuthentication(BaseAuthentication):
    """`request.user` becomes the service account, `request.auth` the client with its `permission_names`."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiClient] | None:
        """
        Return account and client; None without a token where no client serves such calls: `IsClient` asks for one then.

        :raises OnetillError: one of `payments.clients.errors`
        """
        token = token_of(request.META.get("HTTP_AUTHORIZATION", ""))
        view = cast("Any", (request.parser_context or {}).get("view"))
        client = queries.by_token(token=token) if token else _client_without_token(request, view)
        if client is None or not (client.is_active and client.user.is_active):
            if token:
                raise errors.TokenUnknown
            if _names_client(view):
                raise errors.AppUnknown(field="app_id")
            return None
        bind_contextvars(client=client.name)
        request._request.client = client  # type: ignore[attr-defined]  # noqa: SLF001  for the exception handler
        _check_origin_and_sign(request=request, client=client, view=view, has_token=bool(token))
        return client.user, client

    def authenticate_header(self, request: Request) -> str:
        return 'Token realm="onetill"'


def client_of(request: Request) -> ApiClient:
    """Return the client that an authenticated call comes from."""
    return cast("ApiClient", request.auth)


def token_of(header: str) -> str:
    """Return the token of an Authorization header: `Token …`, `Bearer …`, or the bare token of document 003."""
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() in SCHEMES else header.strip()


def _client_without_token(request: Request, view: Any) -> ApiClient | None:
    if _names_client(view):
        app_id = _app_id(parameters(request))
        return queries.by_app_id(app_id=DEFAULT_APP_ID if app_id is None else app_id, family=view.family)
    return queries.by_default(family=view.family) if getattr(view, "default_client_serves", False) else None


def _names_client(view: Any) -> bool:
    """Not every view is a family's: the schema's is nobody's."""
    return getattr(view, "app_id_names_client", False)


def _app_id(params: Mapping[str, Any]) -> int | None:
    """Return the app that a call names; None if it names none."""
    value = params.get("app_id")
    if not _is_sent(value):
        return None
    try:
        return WholeNumberField().to_internal_value(value)
    except ValidationError:
        raise errors.AppIdUnreadable(field="app_id") from None


def _check_origin_and_sign(*, request: Request, client: ApiClient, view: Any, has_token: bool) -> None:
    origin = caller(request.META)
    if client.allowed_networks and not origin.is_in(client.allowed_networks):
        raise errors.NetworkNotAllowed
    if view.family not in client.families:
        raise errors.FamilyNotServed
    if view.app_id_names_client and _app_id(parameters(request)) not in {None, client.app_id}:
        raise errors.AppUnknown(field="app_id")
    if origin.is_plain and origin.is_in(client.unsigned_from):
        return
    params = parameters(request)
    is_timed = view.timestamp_required or (view.app_id_names_client and not has_token)
    if is_timed or _is_sent(params.get("timestamp")):
        _check_timestamp(params, now=timezone.now())
    if view.sign_required or not has_token or _is_sent(params.get("sign")):
        _check_sign(params, client=client)
    if not has_token:
        _check_separators(params)


def _is_sent(value: Any) -> bool:
    """Whether a parameter stands for anything; empty ones do not, to the sign as well."""
    return value is not None and value != ""


def _check_timestamp(params: Mapping[str, Any], *, now: datetime.datetime) -> None:
    value = params.get("timestamp")
    if not _is_sent(value):
        raise errors.TimestampMissing(field="timestamp")
    try:
        at = read_timestamp(value)
    except UnreadableTimestamp:
        raise errors.TimestampUnreadable(field="timestamp") from None
    if abs((now - at).total_seconds()) > settings.SIGN_WINDOW_SECONDS:
        raise errors.TimestampExpired(field="timestamp", seconds=settings.SIGN_WINDOW_SECONDS)


def _check_sign(params: Mapping[str, Any], *, client: ApiClient) -> None:
    given = params.get("sign")
    if not _is_sent(given):
        raise errors.SignMissing(field="sign")
    if not signing.matches(given=given, params=params, secret=client.secret(), sign_type=client.sign_type):
        raise errors.SignWrong(field="sign")


def _check_separators(params: Mapping[str, Any]) -> None:
    name = signing.splittable(params)
    if name is not None:
        raise errors.Splittable(field=shown(name))
