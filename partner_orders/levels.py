"""A customer's level: raised by what they buy, lowered only when what supported it went back."""

from django.db.models import Q

from partner_orders.models import CustomerLevel, PartnerOrder, UserLevel
from payments.transactions import transaction_required


@transaction_required
def recount(*, customer_id: int) -> None:
    """Set a customer's level to the highest of what staff gave and what paid packs support that did not go back."""
    standing = _lock(customer_id=customer_id)
    highest = supported(customer_id=customer_id, given_id=standing.given_id)
    if standing.level_id != (highest.pk if highest else None):
        standing.level = highest
        standing.save(update_fields=["level"])


@transaction_required
def give(*, customer_id: int, level_id: int | None) -> CustomerLevel:
    """Have staff support a level of a customer or, with None, no level any more; what paid packs support stays."""
    standing = _lock(customer_id=customer_id)
    standing.given_id = level_id
    standing.save(update_fields=["given"])
    recount(customer_id=customer_id)
    return standing


@transaction_required
def _lock(*, customer_id: int) -> CustomerLevel:
    CustomerLevel.objects.bulk_create([CustomerLevel(customer_id=customer_id)], ignore_conflicts=True)
    return CustomerLevel.objects.select_for_update(of=("self",)).get(customer_id=customer_id)


def supported(*, customer_id: int, given_id: int | None) -> UserLevel | None:
    """Return the highest level that a customer should have."""
    bought = PartnerOrder.objects.filter(
        order__customer_id=customer_id, fulfilled_at__isnull=False, taken_back_at__isnull=True
    ).values("level_id")
    return UserLevel.objects.filter(Q(pk__in=bought) | Q(pk__in=[given_id])).order_by("-rank").first()
