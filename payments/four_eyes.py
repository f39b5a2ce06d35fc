"""What takes a second person waits for one, who is not the first."""

from django.utils.translation import gettext_lazy as _

from payments.errors import Conflict, OnetillError


class NotToDecide(Conflict):
    code = "request_decided"
    message = _("This does not wait for a decision (any more).")


class SamePerson(OnetillError):
    status = 403
    code = "same_person"
    message = _("Whoever asked for this cannot decide on it. Ask a colleague.")


def check_decidable(*, waits: bool, requested_by: str, actor: str) -> None:
    """
    :raises NotToDecide: if it does not wait (any more)
    :raises SamePerson: if `actor` asked for it
    """
    if not waits:
        raise NotToDecide
    if requested_by == actor:
        raise SamePerson
