"""Freezing customers: nothing new is sold to them. What they bought is delivered and refunded as ever."""

from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.customers.models import Customer
from payments.errors import Conflict
from payments.transactions import transaction


class FrozenMeanwhile(Conflict):
    """The customer is as is asked for already."""

    code = "frozen_meanwhile"
    message = _("Somebody else has frozen or unfrozen this customer meanwhile. See what is so now.")


def set_frozen(*, customer_id: int, is_frozen: bool, actor: str, reason: str) -> None:
    """
    Freeze a customer, or let them buy again.

    :raises FrozenMeanwhile: if nothing is to be changed
    """
    with transaction():
        customer = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer_id)
        if customer.is_frozen == is_frozen:
            raise FrozenMeanwhile
        customer.is_frozen = is_frozen
        customer.save(update_fields=["is_frozen"])
        audit.record(
            actor=actor, action="customer.freeze" if is_frozen else "customer.unfreeze",
            subject=f"customer:{customer_id}", reason=reason,
        )  # fmt: skip
