"""What every state machine of ours has: a table `{status: {event: status}}`, and a refusal of what is not in it."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from payments.errors import Conflict

S = TypeVar("S", bound=TextChoices)
E = TypeVar("E", bound=TextChoices)


class IllegalTransition(Conflict):
    """The table has no such move."""

    code = "illegal_transition"
    message = _("%(event)s is not possible while the status is %(status)s")


def move(table: Mapping[S, Mapping[E, S]], *, status: S, event: E) -> S:
    """
    Return the status that `event` leads to.

    :raises IllegalTransition: if the table has no such move
    """
    try:
        return table[status][event]
    except KeyError:
        raise IllegalTransition(event=event.label, status=status.label) from None


def as_mermaid(table: Mapping[S, Mapping[E, S]], *, first: Iterable[S]) -> str:
    """Return the table as a Mermaid state diagram, for docs/order-states.md; `first` is how a row may begin."""
    begins = [f"    [*] --> {status.value}" for status in first]
    moves = [
        f"    {source.value} --> {target.value}: {event.value}"
        for source, row in table.items()
        for event, target in row.items()
    ]
    return "\n".join(["stateDiagram-v2", *begins, *moves, ""])
