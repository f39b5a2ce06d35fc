"""What staff remark on an order, for its customer to read: `platform_remark` of document 002."""

from django.utils.translation import gettext_lazy as _

from partner_orders.models import PartnerOrder
from payments import audit
from payments.errors import Conflict
from payments.orders import operations as orders
from payments.transactions import transaction


class RemarkedMeanwhile(Conflict):
    code = "remarked_meanwhile"
    message = _("Somebody else changed this remark since the form was opened. Read theirs, then go on.")


def remark(*, order_id: int, text: str, seen: str, actor: str) -> None:
    """
    Put a remark, or none, in the place of the one that was seen. The same once more changes nothing.

    :raises RemarkedMeanwhile: if it is another one by now
    """
    with transaction():
        order = orders.lock(order_id=order_id)
        document = PartnerOrder.objects.select_for_update(of=("self",)).get(order=order)
        if document.remark == text:
            return
        if document.remark != seen:
            raise RemarkedMeanwhile
        document.remark = text
        document.save(update_fields=["remark"])
        audit.record(actor=actor, action="partner_order.remark", subject=order.subject, before=seen, after=text)
