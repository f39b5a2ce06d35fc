"""Coupons given to customers by staff: all that are named, or none; and what is sent twice is given once."""

import uuid
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from partner_orders.models import Coupon, CustomerCoupon
from payments import audit
from payments.errors import Conflict, OnetillError
from payments.models import Customer
from payments.transactions import transaction, transaction_required


class CustomersUnknown(OnetillError):
    code = "customers_unknown"
    message = _("The coupon's client has no customer %(user_ids)s. Nothing was given.")


class BatchReused(Conflict):
    code = "batch_reused"
    message = _("With this form coupons were given already, to others or in another number. Nothing more was given.")


def give(*, coupon_id: int, user_ids: Sequence[str], copies: int, batch: uuid.UUID, actor: str) -> int:
    """
    Give each of the customers so many of a coupon, and return how many that were.

    Every coupon's id is made of `batch` and its place in it, and ids are unique: the same batch again gives nothing
    more. One place more is looked at than is wanted, so that a batch which was larger is seen as well.

    :raises CustomersUnknown: if the coupon's client has not all of those customers
    :raises BatchReused: if of this batch other coupons were given before
    """
    with transaction():
        coupon = Coupon.objects.select_for_update(of=("self",), no_key=True).get(pk=coupon_id)
        customer_ids = _customers(client_id=coupon.client_id, user_ids=user_ids)
        wanted = [customer_id for customer_id in customer_ids for _copy in range(copies)]
        uids = [uuid.uuid5(batch, f"{coupon.pk}:{place}").hex for place in range(len(wanted) + 1)]
        known = dict(CustomerCoupon.objects.filter(uid__in=uids).values_list("uid", "customer_id"))
        if known and [known.get(uid) for uid in uids] != [*wanted, None]:
            raise BatchReused
        if not known:
            CustomerCoupon.objects.bulk_create(
                CustomerCoupon(uid=uid, coupon=coupon, customer_id=customer_id)
                for uid, customer_id in zip(uids, wanted, strict=False)
            )
            audit.record(
                actor=actor, action="coupon.give", subject=f"coupon:{coupon.pk}",
                customers=customer_ids, copies=copies,
            )  # fmt: skip
        return len(wanted)


@transaction_required
def _customers(*, client_id: int, user_ids: Sequence[str]) -> list[int]:
    """Return the ids of a client's customers, each once."""
    known = dict(Customer.objects.filter(client_id=client_id, user_id__in=user_ids).values_list("user_id", "pk"))
    if unknown := [user_id for user_id in dict.fromkeys(user_ids) if user_id not in known]:
        raise CustomersUnknown(field="user_ids", user_ids=", ".join(unknown))
    return sorted(known.values())
