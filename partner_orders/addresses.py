"""A customer's addresses: added, changed, deleted by the app. Orders keep their own copies."""

import dataclasses

from django.utils.translation import gettext_lazy as _

from partner_orders import queries
from partner_orders.models import Address
from payments import audit
from payments.errors import OnetillError
from payments.models import Customer
from payments.transactions import transaction, transaction_required

ADDRESSES_MAX = 50  # of one customer


class TooManyAddresses(OnetillError):
    code = "too_many_addresses"
    message = _("A customer has at most %(most)s addresses. Delete one first.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipient:
    """Who and where. At most one of a customer's addresses is the default."""

    name: str
    phone: str
    address: str
    is_default: bool = False


def add(*, customer_id: int, recipient: Recipient, actor: str) -> Address:
    """:raises TooManyAddresses: if the customer has as many as they may"""
    with transaction():
        _lock(customer_id=customer_id)
        if queries.addresses(customer_id=customer_id).count() >= ADDRESSES_MAX:
            raise TooManyAddresses(most=ADDRESSES_MAX)
        if recipient.is_default:
            _unset_default(customer_id=customer_id)
        address = Address.objects.create(customer_id=customer_id, **dataclasses.asdict(recipient))
        _record("add", address, actor=actor)
        return address


def change(*, customer_id: int, address_id: int, recipient: Recipient, actor: str) -> Address:
    """:raises queries.AddressUnknown: if it is not one of the customer's"""
    with transaction():
        _lock(customer_id=customer_id)
        address = queries.address(customer_id=customer_id, address_id=address_id)
        if recipient.is_default and not address.is_default:
            _unset_default(customer_id=customer_id)
        told = dataclasses.asdict(recipient)
        for name, value in told.items():
            setattr(address, name, value)
        address.save(update_fields=list(told))
        _record("change", address, actor=actor)
        return address


def delete(*, customer_id: int, address_id: int, actor: str) -> None:
    """:raises queries.AddressUnknown: if it is not one of the customer's"""
    with transaction():
        _lock(customer_id=customer_id)
        address = queries.address(customer_id=customer_id, address_id=address_id)
        _record("delete", address, actor=actor)
        address.delete()


@transaction_required
def _lock(*, customer_id: int) -> None:
    """One after the other, so that neither the count nor the one default is overrun."""
    Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer_id)


@transaction_required
def _unset_default(*, customer_id: int) -> None:
    queries.addresses(customer_id=customer_id).filter(is_default=True).update(is_default=False)


@transaction_required
def _record(deed: str, address: Address, *, actor: str) -> None:
    """Whose and which, not what: a person's address stays out of the audit rows."""
    audit.record(actor=actor, action=f"address.{deed}", subject=f"customer:{address.customer_id}", address=address.pk)
