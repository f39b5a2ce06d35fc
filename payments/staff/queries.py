"""Whose rows a person of the staff may see."""

from typing import Any

from payments.staff.models import StaffMember

_KEPT = "_onetill_clients"  # on the request's own user: asked once a request


def clients_of(user: Any) -> frozenset[int] | None:
    """Return the ids of the clients whose rows `user` may see; None where it is every client's and nobody's too."""
    if not hasattr(user, _KEPT):
        setattr(user, _KEPT, _clients_of(user))
    kept: frozenset[int] | None = getattr(user, _KEPT)
    return kept


def _clients_of(user: Any) -> frozenset[int] | None:
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return None
    member = StaffMember.objects.filter(pk=user.pk).first()
    if member is None:
        return frozenset()
    if member.sees_every_client:
        return None
    return frozenset(member.clients.values_list("pk", flat=True))
