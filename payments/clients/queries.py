"""Who calls: by token, as the default client of a family, or as the client of an app id."""

from django.contrib.auth import get_user_model
from django.db import connection

from payments.clients.models import ApiClient, token_digest

User = get_user_model()
# What a call needs to know; the ORM fetches the rest where somebody asks for it.
_CLIENT = (
    "id", "uid", "name", "user_id", "sealed_secret", "sign_type", "families", "app_id", "allowed_networks",
    "unsigned_from", "redirect_hosts", "points_policy", "order_ttl_seconds", "always_http_200", "is_active",
)  # fmt: skip
_USER = ("id", "username", "is_active")
# Written out because it runs before every call: the ORM takes longer to build this than PostgreSQL to answer it.
_SELECT = f"""
    SELECT {", ".join(f"client.{name}" for name in _CLIENT)}, {", ".join(f"account.{name}" for name in _USER)},
        ARRAY(
            SELECT content_type.app_label || '.' || permission.codename
            FROM auth_permission permission JOIN django_content_type content_type ON content_type.id = content_type_id
            WHERE permission.id IN (
                SELECT permission_id FROM auth_user_user_permissions WHERE user_id = client.user_id
                UNION ALL
                SELECT permission_id FROM auth_group_permissions JOIN auth_user_groups USING (group_id)
                WHERE user_id = client.user_id
            )
        )
    FROM payments_apiclient client JOIN auth_user account ON account.id = client.user_id
"""  # noqa: S608  only column names of ours stand in it
_BY_TOKEN = f"{_SELECT} WHERE client.token_sha256 = %s"
_BY_DEFAULT = f"{_SELECT} WHERE client.default_of = %s"
_BY_APP_ID = f"{_SELECT} WHERE client.app_id = %s AND %s = ANY(client.families)"


def by_token(*, token: str) -> ApiClient | None:
    """
    Return the client of `token` with its service account and permissions, in one statement; None if there is none.

    The look-up is by digest, so its time tells nothing about how much of a guess was right. Whether client and
    account are active is the caller's to judge.
    """
    return _read(_BY_TOKEN, token_digest(token))


def by_default(*, family: str) -> ApiClient | None:
    """Return the default client of `family` as `by_token` does."""
    return _read(_BY_DEFAULT, family)


def by_app_id(*, app_id: int, family: str) -> ApiClient | None:
    """Return the client of `app_id` as `by_token` does; None as well if it does not serve `family`."""
    return _read(_BY_APP_ID, app_id, family)


def _read(statement: str, *keys: str | int) -> ApiClient | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, keys)
        row = cursor.fetchone()
    if row is None:
        return None
    client = ApiClient.from_db(connection.alias, _CLIENT, row[: len(_CLIENT)])
    client.user = User.from_db(connection.alias, _USER, row[len(_CLIENT) : -1])
    client.permission_names = frozenset(row[-1])
    return client
