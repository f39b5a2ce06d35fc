"""What is known of a customer beside their money, and what a text must be to be kept. Pure."""

import dataclasses
from typing import cast

from django.db.models import CharField
from django.utils.translation import gettext_lazy as _

from payments.customers.models import Customer
from payments.errors import Malformed

LENGTHS_MAX: dict[str, int] = {
    name: cast("CharField[str, str]", Customer._meta.get_field(name)).max_length or 0  # noqa: SLF001  Django's documented model API
    for name in ("user_id", "ee_no", "phone", "real_name")
}


class ProfileUnfit(Malformed):
    """A text that cannot be kept."""

    code = "invalid_field"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """A customer as the client describes them."""

    user_id: str
    ee_no: str = ""
    phone: str = ""
    real_name: str = ""

    def describe(self) -> dict[str, str]:
        """Return what may change: everything but the user id."""
        return {"ee_no": self.ee_no, "phone": self.phone, "real_name": self.real_name}

    def check(self) -> None:
        """
        Check every text.

        :raises ProfileUnfit: for an empty user id, a text that is too long, or one with characters that do not print
        """
        if not self.user_id:
            raise ProfileUnfit(_("user_id must not be empty."), field="user_id")
        for name, text in dataclasses.asdict(self).items():
            if len(text) > LENGTHS_MAX[name]:
                raise ProfileUnfit(_("At most %(limit)s characters."), field=name, limit=LENGTHS_MAX[name])
            # Refuses NUL, line breaks, tabs, direction marks and lone surrogates, which are what broken UTF-8 reads as.
            if not text.isprintable() or text != text.strip():
                raise ProfileUnfit(
                    _("No control characters, no broken characters, no space at either end."), field=name
                )
