"""Where a person stands when they have scanned the code or followed the link: pay, or decline."""

import contextlib

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from payments.simulator import book, faults, rooms
from payments.simulator.faults import Stage
from payments.simulator.models import Trade

# What the payer's page offers to go wrong: all that happens after the payment.
AFTERWARDS = [kind for kind in faults.MENU.values() if Stage.CALL not in kind.stages]


@require_GET
def show(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the page is the scan: from here on the gateway knows the trade."""
    book.close_expired()
    trade = book.open_trade(trade_id=_trade(token).pk)
    stepped_back = "left" in request.GET and trade.payable
    context = {
        "trade": trade,
        "merchant": trade.merchant,
        "faults": [kind for kind in AFTERWARDS if not kind.wires or trade.wire in kind.wires],
        "return_address": trade.quit_url if stepped_back else rooms.of(trade.merchant.gateway).return_address(trade),
        "leaves_by_itself": stepped_back or "done" in request.GET,
        "stepped_back": stepped_back,
        "declining_closes": rooms.of(trade.merchant.gateway).DECLINING_CLOSES,
    }
    return render(request, "simulator/cashier.html", context)


@require_POST
def pay(request: HttpRequest, token: str) -> HttpResponse:
    trade = _trade(token)
    chosen = request.POST.get("fault", "")
    if chosen in {kind.name for kind in AFTERWARDS} and trade.payable:
        faults.arm(kind=chosen, match=trade.out_trade_no)
    try:
        book.pay(trade_id=trade.pk)
    except book.NotWaiting:
        return HttpResponseRedirect(reverse("cashier", args=[token]))
    return HttpResponseRedirect(reverse("cashier", args=[token]) + "?done=1")


@require_POST
def decline(request: HttpRequest, token: str) -> HttpResponse:
    """End the trade, or only step back from it, as the gateway has it."""
    if not rooms.of(_trade(token).merchant.gateway).DECLINING_CLOSES:
        return HttpResponseRedirect(reverse("cashier", args=[token]) + "?left=1")
    with contextlib.suppress(book.NotWaiting):  # the page says what became of it
        book.close(trade_id=_trade(token).pk)
    return HttpResponseRedirect(reverse("cashier", args=[token]))


def _trade(token: str) -> Trade:
    trade = Trade.objects.filter(token=token).first()
    if trade is None:
        raise Http404
    return trade
