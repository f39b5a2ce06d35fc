"""What the control API has to say of bills: which rows are to differ from the book."""

import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from payments.simulator import bills, shapes
from payments.simulator.control import Body, ControlError, whole
from payments.simulator.models import BillDifference, Merchant

MOST_ROWS = 10_000


def list_differences(request: HttpRequest, body: Body) -> dict[str, Any]:
    """What was ordered; `?app_id=`, `?day=`."""
    rows = BillDifference.objects.select_related("merchant").order_by("id")
    if app_id := request.GET.get("app_id"):
        rows = rows.filter(merchant__app_id=app_id)
    if day := request.GET.get("day"):
        rows = rows.filter(day=_day(day))
    return {"differences": [shapes.bill_difference(row) for row in rows]}


def order_differences(request: HttpRequest, body: Body) -> dict[str, Any]:
    """
    Let the bill of `app_id` (or `merchant`, the merchant number) and `day` (today) differ in so many rows: `missing`,
    `extra`, `amount`, `status`, `fee`, drawn by `seed` (1). Answers which rows they are, and what they say instead.
    """
    merchant = _merchant(body)
    day = _day(body["day"]) if body.get("day") else timezone.localdate()
    counts = {kind: whole(body, kind, default=0, least=0) or 0 for kind in BillDifference.Kind.values}
    if sum(counts.values()) > MOST_ROWS:
        raise ControlError(400, f"at most {MOST_ROWS} rows")
    try:
        made = bills.order(merchant=merchant, day=day, counts=counts, seed=whole(body, "seed", default=1, least=0) or 0)
    except bills.NotSoMany as error:
        raise ControlError(409, str(error)) from error
    return {"differences": [shapes.bill_difference(row) for row in made]}


def clear_differences(request: HttpRequest, body: Body) -> dict[str, Any]:
    return {"deleted": BillDifference.objects.all().delete()[0]}


def _merchant(body: Body) -> Merchant:
    named = {name: body.get(name, "") for name in ("app_id", "merchant")}
    if not any(named.values()) or not all(isinstance(value, str) for value in named.values()):
        raise ControlError(400, "app_id or merchant says whose bill")
    wanted = Q(app_id=named["app_id"]) if named["app_id"] else Q(seller_id=named["merchant"])
    merchant = Merchant.objects.filter(wanted).order_by("-id").first()
    if merchant is None:
        raise ControlError(404, "there is no such merchant")
    return merchant


def _day(text: object) -> datetime.date:
    try:
        day = datetime.date.fromisoformat(str(text))
    except ValueError as error:
        raise ControlError(400, "day is a date, YYYY-MM-DD") from error
    if not bills.FIRST_DAY <= day <= bills.LAST_DAY:
        raise ControlError(400, f"day lies between {bills.FIRST_DAY} and {bills.LAST_DAY}")
    return day
