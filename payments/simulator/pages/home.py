"""What a developer looks at: trades, what was notified and answered, and what is to go wrong."""

import contextlib

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from payments.simulator import book, console, courier, faults
from payments.simulator.addresses import public_url
from payments.simulator.alipay.gateway import open_order_string as open_in_app
from payments.simulator.alipay.refusals import Refusal
from payments.simulator.models import Fault, Merchant, Notification, NotificationDelivery, Trade
from payments.simulator.money import fen

SHOWN = 25
ACTIONS = {"pay": book.pay, "close": book.close, "finish": book.finish}


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    context = {
        "trades": Trade.objects.select_related("merchant").prefetch_related("refunds").order_by("-id")[:SHOWN],
        "notifications": _notifications().order_by("-id")[:SHOWN],
        "armed": Fault.objects.order_by("id"),
        "menu": faults.MENU.values(),
        "merchants": Merchant.objects.order_by("id"),
        "control": f"{public_url(request)}/control/",
        "time_scale": settings.TIME_SCALE,
    }
    return render(request, "simulator/home.html", context)


@require_GET
def show_trade(request: HttpRequest, trade_id: int) -> HttpResponse:
    trade = get_object_or_404(Trade.objects.select_related("merchant").prefetch_related("refunds"), pk=trade_id)
    context = {"trade": trade, "notifications": _notifications().filter(trade=trade).order_by("id")}
    return render(request, "simulator/trade.html", context)


@require_POST
def act_on_trade(request: HttpRequest, trade_id: int) -> HttpResponse:
    act = ACTIONS.get(request.POST.get("action", ""))
    if act:
        with contextlib.suppress(book.NotWaiting):  # it moved on meanwhile: the page shows where it stands
            act(trade_id=get_object_or_404(Trade, pk=trade_id).pk)
    return _back(request)


@require_POST
def refund_trade(request: HttpRequest, trade_id: int) -> HttpResponse:
    """What the merchant's staff would do at the gateway's console."""
    trade = get_object_or_404(Trade.objects.select_related("merchant"), pk=trade_id)
    amount_fen = fen(request.POST.get("amount", "").strip())
    if amount_fen:
        with contextlib.suppress(console.Refused):  # the page shows what is left
            console.refund(trade=trade, amount_fen=amount_fen)
    return HttpResponseRedirect(reverse("trade", args=[trade_id]))


@require_POST
def resend(request: HttpRequest, notification_id: int) -> HttpResponse:
    courier.resend(notification_id=get_object_or_404(Notification, pk=notification_id).pk)
    return _back(request)


@require_POST
def arm_fault(request: HttpRequest) -> HttpResponse:
    times = request.POST.get("times", "1")
    with contextlib.suppress(faults.UnknownFault):  # the form offers only what exists
        faults.arm(
            kind=request.POST.get("fault", ""),
            times=min(int(times), 1000) if times.isdecimal() and int(times) else 1,
            match=request.POST.get("match", "").strip(),
        )
    return _back(request)


@require_POST
def clear_faults(request: HttpRequest) -> HttpResponse:
    Fault.objects.all().delete()
    return _back(request)


@require_http_methods(["GET", "POST"])
def open_order_string(request: HttpRequest) -> HttpResponse:
    """The Alipay app, for people: paste an order string."""
    if request.method == "GET":
        return render(request, "simulator/app.html")
    try:
        trade = open_in_app(request.POST.get("order_string", "").strip())
    except Refusal as refusal:
        return render(request, "simulator/refused.html", refusal.for_people, status=400)
    return HttpResponseRedirect(reverse("cashier", args=[trade.token]))


def _notifications() -> QuerySet[Notification]:
    deliveries = Prefetch("deliveries", NotificationDelivery.objects.order_by("id"))
    return Notification.objects.select_related("trade__merchant").prefetch_related(deliveries)


def _back(request: HttpRequest) -> HttpResponse:
    trade_id = request.POST.get("back_to_trade", "")
    return HttpResponseRedirect(reverse("trade", args=[int(trade_id)]) if trade_id.isdecimal() else reverse("home"))
