"""
Stock and coupons: taken with an order, given back when it is over.

A pack's row is the last that anybody locks (order, accounts, level, pack), so that a popular pack is locked for little
more than a commit; of several packs, by id.
"""

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from partner_orders.models import GiftPack
from payments import audit
from payments.errors import Conflict
from payments.transactions import transaction, transaction_required

STOCKED_MAX = 1_000_000_000


class PackSoldOut(Conflict):
    code = "gift_pack_sold_out"
    message = _("This gift pack is sold out. Choose another one.")


class StockTooSmall(Conflict):
    code = "stock_too_small"
    message = _("Fewer are in stock than are to be taken out.")


class StockTooLarge(Conflict):
    code = "stock_too_large"
    message = _("At most %(most)s pieces can be put in altogether.")


class StockedMeanwhile(Conflict):
    code = "stocked_meanwhile"
    message = _("Something was put in or taken out since this form was opened. Look at the stock before you go on.")


@transaction_required
def take(*, pack_id: int) -> None:
    """
    Take one piece of a pack for an order.

    :raises PackSoldOut: if there is none
    """
    if not GiftPack.objects.filter(pk=pack_id, stock__gt=0).update(stock=F("stock") - 1):
        raise PackSoldOut(field="gift_pos_id")


_GIVE_BACK = """
WITH locked AS (
    SELECT pack.id FROM partner_orders_giftpack pack
    WHERE pack.id IN (SELECT pack_id FROM partner_orders_partnerorder WHERE order_id = ANY (%(ids)s) AND holds)
    ORDER BY pack.id FOR UPDATE
), released AS (
    UPDATE partner_orders_partnerorder SET holds = false
    WHERE order_id = ANY (%(ids)s) AND holds AND pack_id IN (SELECT id FROM locked)
    RETURNING pack_id
)
UPDATE partner_orders_giftpack pack SET stock = stock + back.pieces
FROM (SELECT pack_id, count(*) AS pieces FROM released GROUP BY pack_id) back
WHERE pack.id = back.pack_id
"""


@transaction_required
def give_back(*, order_ids: list[int]) -> None:
    """Put back what locked orders hold: their pieces of stock and, with them, their coupons. Once."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, {"ids": order_ids})


def put_in(*, pack_id: int, pieces: int, actor: str, reason: str = "", seen_stocked: int | None = None) -> GiftPack:
    """
    Put pieces into a pack's stock or, where `pieces` is negative, take them out.

    `seen_stocked` is what had been put in when somebody decided on this: what they send twice is done once.

    :raises StockedMeanwhile: if that is no longer so
    :raises StockTooSmall: if fewer are there
    :raises StockTooLarge: if a column could not hold it
    """
    with transaction():
        pack = GiftPack.objects.select_for_update(of=("self",), no_key=True).get(pk=pack_id)
        if seen_stocked not in (None, pack.stocked):
            raise StockedMeanwhile
        if pack.stock + pieces < 0:
            raise StockTooSmall(field="pieces")
        if pack.stocked + pieces > STOCKED_MAX:
            raise StockTooLarge(field="pieces", most=STOCKED_MAX)
        pack.stock += pieces
        pack.stocked += pieces
        pack.save(update_fields=["stock", "stocked"])
        audit.record(
            actor=actor, action="gift_pack.stock", subject=f"gift_pack:{pack.pk}",
            pieces=pieces, stock=pack.stock, reason=reason,
        )  # fmt: skip
        return pack
