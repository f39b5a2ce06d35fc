"""What a list of goods costs, by the catalogue alone: a price that the app sends is compared, never believed."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from english_app import memberships
from english_app.memberships import MembershipTooLong
from english_app.models import NUM_MAX, Good, GoodKind, Grant, OrderLine
from payments.errors import NotFound, OnetillError
from payments.money import yuan_text

TOTAL_FEN_MAX = 100_000_000_00  # what every gateway takes in one payment: a hundred million yuan


class GoodUnknown(NotFound):
    code = "good_unknown"
    message = _("There is no good %(good_id)s on sale. Take the good_id of one that is.")


class TooMany(OnetillError):
    code = "too_many"
    message = _("At most %(most)s pieces of a good go into one order. Send a smaller num.")


class TotalTooLarge(OnetillError):
    code = "total_too_large"
    message = _("All together costs more than ¥%(most)s, which no order may. Send less.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """So many pieces of a good, as the app sends it."""

    good_id: int
    num: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Priced:
    """So many pieces of a good that is on sale."""

    good: Good
    num: int

    @property
    def sum_fen(self) -> int:
        return int(self.good.price_fen * self.num)

    def line(self) -> OrderLine:
        """Return what an order keeps of it."""
        good = self.good
        return OrderLine(
            good=good, title=good.title, kind=good.kind, periods=good.periods, period_unit=good.period_unit,
            price_fen=good.price_fen, num=self.num,
        )  # fmt: skip


def price(*, client_id: int, wanted: Sequence[Wanted]) -> list[Priced]:
    """
    Return what is wanted with its goods, in the order in which it was sent; a good that stands twice is added up.

    :raises GoodUnknown: for a good that the client does not sell (any more)
    :raises TooMany: if a good is added up to more than goes into an order
    :raises TotalTooLarge: if it costs more than an order may
    :raises MembershipTooLong: if nobody could be a member for so long
    """
    nums: Counter[int] = Counter()
    for one in wanted:
        nums[one.good_id] += one.num
    goods = Good.objects.filter(client_id=client_id, is_on_sale=True).in_bulk(list(nums))
    for good_id, num in nums.items():
        if good_id not in goods:
            raise GoodUnknown(field="goods_list", good_id=good_id)
        if num > NUM_MAX:
            raise TooMany(field="goods_list", most=NUM_MAX)
    priced = [Priced(good=goods[good_id], num=num) for good_id, num in nums.items()]
    if total_fen(priced) > TOTAL_FEN_MAX:
        raise TotalTooLarge(field="goods_list", most=yuan_text(TOTAL_FEN_MAX))
    _check_length(priced)
    return priced


def _check_length(priced: Iterable[Priced]) -> None:
    """What cannot be delivered to a new member is not sold to anybody."""
    now = timezone.now()
    lasting = [one for one in priced if one.good.kind == GoodKind.MEMBERSHIP]
    try:
        memberships.end_of(Grant(line=one.line(), granted_at=now) for one in lasting)
    except MembershipTooLong as error:
        error.field = "goods_list"
        raise


def total_fen(priced: Iterable[Priced]) -> int:
    return sum(one.sum_fen for one in priced)
