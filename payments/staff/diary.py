"""The audit rows of what people do with their own account."""

from django.contrib.auth.models import User

from payments import audit
from payments.transactions import transaction_required


@transaction_required
def record(user: User, deed: str, **detail: object) -> None:
    """Write that `user` did `deed`, such as log_in, to their own account."""
    actor = audit.person(username=user.get_username(), pk=user.pk)
    audit.record(actor=actor, action=f"user.{deed}", subject=f"user:{user.pk}", **detail)
