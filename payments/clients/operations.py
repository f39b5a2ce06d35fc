"""Making clients, and taking their keys away."""

import datetime
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db.models import Value
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.clients.models import ApiClient, SignType, new_webhook_secret
from payments.errors import Conflict, Malformed, NotFound
from payments.transactions import transaction, transaction_required

TOKEN_BYTES = 32
ACCOUNT_PREFIX = "client-"
OLD_WEBHOOK_SECRET_KEPT_FOR = datetime.timedelta(hours=24)
_WEBHOOK_FIELDS = ("sealed_webhook_secret", "sealed_webhook_secret_before", "webhook_secret_before_until")


class ClientNameTaken(Conflict):
    code = "client_name_taken"
    message = _("There is a client %(name)s already. Choose another name, or rotate its keys.")


class ClientUnknown(NotFound):
    code = "client_unknown"
    message = _("There is no client %(name)s.")


class ClientUnfit(Malformed):
    code = "client_unfit"
    message = _("%(problem)s")


@dataclass(frozen=True, slots=True)
class Keys:
    """What a client needs to call, and to believe our webhooks, in the clear: shown once, kept nowhere."""

    client: ApiClient
    token: str
    secret: str
    webhook_secret: str


def create_client(
    *,
    name: str,
    families: Sequence[str],
    actor: str,
    sign_type: str = SignType.MD5,
    redirect_hosts: Sequence[str] = (),
    allowed_networks: Sequence[str] = (),
    permissions: Sequence[str] = (),
    default_of: str = "",
    app_id: int | None = None,
    always_http_200: bool = False,
) -> Keys:
    """
    Make a client with its service account. `permissions` are Django's, such as `checkout.point_pay`; `default_of` is
    the family whose calls without a token are its, `app_id` the number by which document 004's name it.

    :raises ClientNameTaken: if a client or an account has the name
    :raises ClientUnfit: for a name, network, permission or app id that is none, or one or a family that is taken
    """
    with transaction():
        if ApiClient.objects.filter(name=name).exists():
            raise ClientNameTaken(field="name", name=name)
        account, is_new = get_user_model().objects.get_or_create(username=f"{ACCOUNT_PREFIX}{name}")
        if not is_new:
            raise ClientNameTaken(field="name", name=name)
        account.set_unusable_password()
        account.save(update_fields=["password"])
        account.user_permissions.set(_permissions(permissions))
        client = ApiClient(
            name=name,
            user=account,
            families=list(families),
            sign_type=sign_type,
            redirect_hosts=list(redirect_hosts),
            allowed_networks=list(allowed_networks),
            default_of=default_of,
            app_id=app_id,
            always_http_200=always_http_200,
        )
        keys = _new_keys(client)
        try:
            client.full_clean()
        except ValidationError as error:
            raise ClientUnfit(problem=" ".join(error.messages)) from error
        client.save(force_insert=True)
        audit.record(
            actor=actor,
            action="client.create",
            subject=f"client:{name}",
            families=client.families,
            permissions=sorted(permissions),
        )
    return keys


def rotate_keys(*, name: str, actor: str) -> Keys:
    """
    Give a client a new token and new secrets. Token and signing secret stop working at once; webhooks are signed under
    the old secret too for a day.

    :raises ClientUnknown: if nobody has the name
    """
    with transaction():
        client = _lock(name=name)
        keys = _new_keys(client)
        client.save(update_fields=["token_sha256", "sealed_secret", *_WEBHOOK_FIELDS])
        audit.record(actor=actor, action="client.rotate_keys", subject=f"client:{name}")
    return keys


def rotate_webhook_secret(*, name: str, actor: str, at: datetime.datetime) -> str:
    """
    Give a client a new webhook secret and return it. Webhooks are signed under the old one too for a day.

    :raises ClientUnknown: if nobody has the name
    """
    with transaction():
        client = _lock(name=name)
        secret = _new_webhook_secret(client, at=at)
        client.save(update_fields=_WEBHOOK_FIELDS)
        audit.record(actor=actor, action="client.rotate_webhook_secret", subject=f"client:{name}")
    return secret


def webhook_secrets(*, client: ApiClient, at: datetime.datetime) -> list[str]:
    """
    Return what a client's webhooks are signed under.

    A client from before there were webhooks is given a secret now; nobody knows it until it is rotated.
    """
    if not client.sealed_webhook_secret:
        with transaction():
            stored = _lock(name=client.name)
            if not stored.sealed_webhook_secret:
                _new_webhook_secret(stored, at=at)
                stored.save(update_fields=_WEBHOOK_FIELDS)
        client = stored
    return client.webhook_secrets(at=at)


@transaction_required
def _lock(*, name: str) -> ApiClient:
    client = ApiClient.objects.select_for_update().filter(name=name).first()
    if client is None:
        raise ClientUnknown(field="name", name=name)
    return client


def _new_keys(client: ApiClient) -> Keys:
    keys = Keys(
        client=client,
        token=secrets.token_urlsafe(TOKEN_BYTES),
        secret=secrets.token_urlsafe(TOKEN_BYTES),
        webhook_secret=_new_webhook_secret(client, at=timezone.now()),
    )
    client.set_token(keys.token)
    client.set_secret(keys.secret)
    return keys


def _new_webhook_secret(client: ApiClient, *, at: datetime.datetime) -> str:
    secret = new_webhook_secret()
    client.set_webhook_secret(secret, before_until=at + OLD_WEBHOOK_SECRET_KEPT_FOR)
    return secret


def _permissions(names: Sequence[str]) -> list[Permission]:
    full_name = Concat("content_type__app_label", Value("."), "codename")
    found = {p.full_name: p for p in Permission.objects.annotate(full_name=full_name).filter(full_name__in=names)}
    if unknown := sorted(set(names) - found.keys()):
        raise ClientUnfit(field="permission", problem=_("There is no permission %s.") % ", ".join(unknown))
    return list(found.values())
