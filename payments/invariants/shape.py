"""What an invariant is."""

import dataclasses

from django.utils.functional import Promise


@dataclasses.dataclass(frozen=True)
class Invariant:
    """`over` is what is counted as checked, `breaches` selects what breaks the rule."""

    name: str
    says: Promise
    over: str
    breaches: str
