"""Making customers, and changing what is known of them."""

import dataclasses
from collections.abc import Sequence

from django.db import connection

from payments import audit
from payments.audit import AuditRow
from payments.customers.models import Customer
from payments.customers.profiles import Profile
from payments.ledger.accounts import Kind
from payments.ledger.models import Account
from payments.transactions import transaction, transaction_required


@dataclasses.dataclass(frozen=True, kw_only=True)
class Saved:
    """What saving a profile did. `before` is what was known until now; None of a new customer."""

    customer_id: int
    profile: Profile
    before: dict[str, str] | None

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def is_changed(self) -> bool:
        return self.before != self.profile.describe()


def save_customer(*, client_id: int, profile: Profile, actor: str) -> Saved:
    """
    Make the client's customer of that user id, with both accounts, or change what is known of them.

    Saving the same again changes nothing and leaves no audit row.

    :raises ProfileUnfit: if a text cannot be kept
    """
    with transaction():
        return save_all(client_id=client_id, profiles=[profile], actor=actor)[0]


@transaction_required
def save_all(*, client_id: int, profiles: Sequence[Profile], actor: str) -> list[Saved]:
    """
    Make or change customers, each user id once, in as many statements for a thousand as for one.

    :raises ProfileUnfit: if a text cannot be kept
    """
    for profile in profiles:
        profile.check()
    saved = _stand(client_id=client_id, profiles=profiles)
    missing = [profile for profile in profiles if profile.user_id not in saved]
    if missing:
        saved |= _make(client_id=client_id, profiles=missing)
        # Whoever made them first in the meantime has committed: they can be seen now.
        raced = [profile for profile in missing if profile.user_id not in saved]
        saved |= _stand(client_id=client_id, profiles=raced)
    written = [one for one in saved.values() if one.is_changed]
    _change([one for one in written if not one.is_new])
    AuditRow.objects.bulk_create(_audit_row(one, actor=actor) for one in written)
    return [saved[profile.user_id] for profile in profiles]


def _stand(*, client_id: int, profiles: Sequence[Profile]) -> dict[str, Saved]:
    """Lock those that are there already, in order of their ids."""
    if not profiles:
        return {}
    by_user_id = {profile.user_id: profile for profile in profiles}
    customers = Customer.objects.filter(client_id=client_id, user_id__in=by_user_id)
    locked = customers.order_by("pk").select_for_update(of=("self",), no_key=True)
    return {
        customer.user_id: Saved(
            customer_id=customer.pk,
            profile=by_user_id[customer.user_id],
            before={"ee_no": customer.ee_no, "phone": customer.phone, "real_name": customer.real_name},
        )
        for customer in locked
    }


_COLUMNS = "unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS given (user_id, ee_no, phone, real_name)"
_MAKE = f"""
INSERT INTO payments_customer (client_id, user_id, ee_no, phone, real_name, is_frozen)
SELECT %s, given.*, false FROM {_COLUMNS} ORDER BY given.user_id
ON CONFLICT (client_id, user_id) DO NOTHING
RETURNING user_id, id
"""  # noqa: S608  a constant
_CHANGE = """
UPDATE payments_customer customer SET ee_no = given.ee_no, phone = given.phone, real_name = given.real_name
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS given (id, ee_no, phone, real_name)
WHERE customer.id = given.id
"""


def _make(*, client_id: int, profiles: Sequence[Profile]) -> dict[str, Saved]:
    """Insert customers and their accounts; those that somebody else inserted meanwhile are left out."""
    by_user_id = {profile.user_id: profile for profile in profiles}
    columns = zip(*(dataclasses.astuple(profile) for profile in profiles), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, [client_id, *map(list, columns)])
        made = dict(cursor.fetchall())
    Account.objects.bulk_create(Account(customer_id=pk, kind=kind) for pk in made.values() for kind in Kind)
    return {
        user_id: Saved(customer_id=pk, profile=by_user_id[user_id], before=None) for user_id, pk in made.items()
    }  # fmt: skip


def _change(changed: Sequence[Saved]) -> None:
    if not changed:
        return
    rows = [(one.customer_id, one.profile.ee_no, one.profile.phone, one.profile.real_name) for one in changed]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, [list(column) for column in zip(*rows, strict=True)])


def _audit_row(saved: Saved, *, actor: str) -> AuditRow:
    return audit.row(
        actor=actor, action="customer.save", subject=f"customer:{saved.customer_id}",
        before=saved.before, after=saved.profile.describe(),
    )  # fmt: skip
