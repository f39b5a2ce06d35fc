"""
A customer's membership: every piece of time that was granted, one after the other.

Time begins on the day of its grant or, while a membership lasts, where that ends. Months are counted from the day on
which the unbroken membership began, so that one month from 31 January ends on the last day of February, and the next
on 31 March, not on the 28th.
"""

import datetime
from collections.abc import Iterable

from dateutil.relativedelta import relativedelta
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from english_app.models import GoodKind, Grant, Membership, PeriodUnit
from payments.errors import OnetillError
from payments.transactions import transaction_required

LAST_DAY = datetime.date(2200, 12, 31)


class MembershipTooLong(OnetillError):
    code = "membership_too_long"
    message = _("The membership would last beyond the year %(year)s.")


@transaction_required
def recount(*, customer_id: int) -> None:
    """
    Set the end of a customer's membership to what the grants that stand add up to.

    :raises MembershipTooLong: if that is beyond `LAST_DAY`
    """
    Membership.objects.bulk_create([Membership(customer_id=customer_id)], ignore_conflicts=True)
    membership = Membership.objects.select_for_update(of=("self",)).get(customer_id=customer_id)
    ends_on = end_of(standing(customer_id=customer_id))
    if membership.ends_on != ends_on:
        membership.ends_on = ends_on
        membership.save(update_fields=["ends_on"])


def standing(*, customer_id: int | None = None) -> QuerySet[Grant]:
    """
    Return the grants of membership that were not taken back, in the order in which they were granted; without a
    customer everybody's, one customer after the other.
    """
    grants = Grant.objects.filter(taken_back_at__isnull=True, line__kind=GoodKind.MEMBERSHIP)
    if customer_id is not None:
        grants = grants.filter(customer_id=customer_id)
    return grants.select_related("line").order_by("customer_id", "granted_at", "pk")


def end_of(grants: Iterable[Grant]) -> datetime.date | None:
    """
    Return the last day of the membership that grants add up to, None without any.

    :raises MembershipTooLong: if that is beyond `LAST_DAY`
    """
    ends_on: datetime.date | None = None
    since, months = datetime.date.min, 0  # months are counted from there
    for grant in grants:
        day = timezone.localdate(grant.granted_at)
        if ends_on is None or ends_on < day:
            since, months, ends_on = day, 0, day
        count = grant.line.periods * grant.line.num
        try:
            if grant.line.period_unit == PeriodUnit.MONTH:
                months += count
                ends_on = since + relativedelta(months=months)
            else:
                since, months = ends_on + datetime.timedelta(days=count), 0
                ends_on = since
        except (ValueError, OverflowError):  # no calendar goes that far
            raise MembershipTooLong(year=LAST_DAY.year) from None
        if ends_on > LAST_DAY:
            raise MembershipTooLong(year=LAST_DAY.year)
    return ends_on
