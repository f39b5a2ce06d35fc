"""The order's own page: what it is, what was paid and can go back, whose it is, and everything that touched it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from payments.admin import masking
from payments.admin.charges import COLOURS as OF_CHARGES
from payments.admin.labels import Label, family_words, flag_label, status_label
from payments.admin.timeline import KINDS, Timeline
from payments.charges.states import Status as ChargeStatus
from payments.ledger.accounts import customer_code
from payments.models import Account, AuditRow, Charge, InboundNotification, Order, Transfer, WebhookDelivery
from payments.money import yuan_text
from payments.orders.families import family
from payments.redaction import redact_text
from payments.refunds import queries as refunds

IN_VAIN = (ChargeStatus.FAILED, ChargeStatus.CLOSED)
OURS = (ChargeStatus.SUCCEEDED, ChargeStatus.SURPLUS)  # what of a charge is here and could go back
NEWEST = "newest"


def context(request: HttpRequest, order: Order) -> dict[str, Any]:
    """Return what the template shows. The number of queries is the same for every order of a family."""
    sees = masking.sees_persons(request.user)
    kind = request.GET.get("kind", "") if request.GET.get("kind") in KINDS else ""
    newest_first = request.GET.get("order") == NEWEST
    story = Timeline(order, sees_persons=sees, may_see=lambda model: may_see(request, model))
    days = story.days(kind=kind, newest_first=newest_first)
    return {
        "order": order,
        "family": family_words(order.family),
        "status": status_label(order),
        "flag": flag_label(order),
        "total": yuan_text(order.total_fen),
        "sums": _sums(order),
        "tenders": [_tender(request, charge) for charge in story.charges if _counts(charge)],
        "left": _left(order),
        "document": _document(order, sees_persons=sees),
        "document_page": _page_of_document(request, order),
        "customer": _customer(request, order, sees_persons=sees),
        "notify_url": redact_text(order.notify_url, persons=sees),
        "days": days,
        "is_cut": story.is_cut,
        "lists": _lists(request, order) if story.is_cut else [],
        "kinds": _kinds(chosen=kind, newest_first=newest_first),
        "turned": _address(kind=kind, newest_first=not newest_first),
        "newest_first": newest_first,
    }


def may_see(request: HttpRequest, model: type) -> bool:
    return bool(admin.site.get_model_admin(model).has_view_permission(request))


def _sums(order: Order) -> list[tuple[Any, str, bool]]:
    """Return what the order costs and how it is to be paid: words, yuan, whether it stands out."""
    lines = [
        (_("goods"), order.goods_fen, False),
        (_("shipping"), order.shipping_fen, False),
        (_("total"), order.total_fen, True),
        (_("points"), order.points_fen, False),
        (_("balance"), order.balance_fen, False),
        (_("cash"), order.cash_fen, False),
        (_("goods refunded"), order.refunded_goods_fen, False),
        (_("shipping refunded"), order.refunded_shipping_fen, False),
    ]
    return [(capfirst(words), yuan_text(fen), stands_out) for words, fen, stands_out in lines]


def _counts(charge: Charge) -> bool:
    return charge.status not in IN_VAIN or charge.paid_fen is not None


def _tender(request: HttpRequest, charge: Charge) -> dict[str, Any]:
    is_ours = charge.status in OURS
    return {
        "words": charge.get_tender_display(),
        "mode": charge.get_mode_display() if charge.mode else "",
        "number": charge.number,
        "link": reverse("admin:payments_charge_change", args=[charge.pk]) if may_see(request, Charge) else "",
        "label": Label(charge.get_status_display(), OF_CHARGES[charge.status]),
        "amount": yuan_text(charge.amount_fen),
        "paid": yuan_text(charge.paid_fen) if charge.paid_fen is not None else "",
        "refunding": yuan_text(charge.refunding_fen),
        "refunded": yuan_text(charge.refunded_fen),
        "left": yuan_text(charge.left_fen) if is_ours else "",
    }


def _left(order: Order) -> dict[str, str] | None:
    """Return what can be refunded now; None where nothing can."""
    goods_fen, shipping_fen = refunds.goods_left_fen(order), refunds.shipping_left_fen(order)
    if order.status not in refunds.REFUNDABLE or not goods_fen + shipping_fen:
        return None
    fen = {"goods": goods_fen, "shipping": shipping_fen, "together": goods_fen + shipping_fen}
    return {name: yuan_text(amount_fen) for name, amount_fen in fen.items()}


def _document(order: Order, *, sees_persons: bool) -> list[tuple[str, str]]:
    """Return what the order's family describes, in words, persons behind stars for who may not see them."""
    of_family = family(order.family)
    try:
        told = of_family.describe(order=order)
    except ObjectDoesNotExist:  # a breach, which the audit finds: the page is there to be looked at all the same
        return []
    shown = {
        key: masking.name(value) if value and key in of_family.PERSONAL and not sees_persons else value
        for key, value in told.items()
    }
    return [
        (capfirst(of_family.LABELS.get(key, key)), redact_text(value, persons=sees_persons) or "–")
        for key, value in shown.items()
    ]


def _page_of_document(request: HttpRequest, order: Order) -> str | None:
    """Return where the row stands that the order's family keeps beside it, if it keeps one that this person may see."""
    for relation in Order._meta.related_objects:  # noqa: SLF001  Django documents _meta
        beside: Any = relation.related_model
        if relation.one_to_one and beside._meta.app_label == order.family:  # noqa: SLF001
            row = getattr(order, relation.get_accessor_name() or "", None)
            if row is not None and admin.site.is_registered(beside) and may_see(request, beside):
                return reverse(f"admin:{order.family}_{beside._meta.model_name}_change", args=[row.pk])  # noqa: SLF001
    return None


def _customer(request: HttpRequest, order: Order, *, sees_persons: bool) -> dict[str, Any]:
    customer = order.customer
    name, phone = customer.real_name, customer.phone
    if not sees_persons:
        name, phone = masking.name(name) if name else "", masking.phone(phone) if phone else ""
    balances = {account.kind: account for account in Account.objects.filter(customer=customer)}
    statement = reverse("admin:payments_transfer_changelist") if may_see(request, Transfer) else ""
    return {
        "link": reverse("admin:payments_customer_change", args=[customer.pk])
        if may_see(request, type(customer))
        else "",
        "user_id": customer.user_id,
        "is_frozen": customer.is_frozen,
        "facts": [(_("Name"), name), (_("Phone"), phone), (_("Employee number"), customer.ee_no)],
        "accounts": [
            (
                account.get_kind_display(),
                yuan_text(account.balance_fen),
                f"{statement}?q={customer_code(kind=account.kind, customer_id=customer.pk)}" if statement else "",
            )
            for _kind, account in sorted(balances.items())
        ],
        "orders": reverse("admin:payments_order_changelist", query={"customer__id__exact": customer.pk}),
    }


def _kinds(*, chosen: str, newest_first: bool) -> list[dict[str, Any]]:
    entries: list[tuple[str, Any, str]] = [("", _("Everything"), "timeline")]
    entries += [(kind, words, icon) for kind, (words, icon) in KINDS.items()]
    return [
        {"words": words, "icon": icon, "link": _address(kind=kind, newest_first=newest_first), "is_on": kind == chosen}
        for kind, words, icon in entries
    ]


def _address(*, kind: str, newest_first: bool) -> str:
    told = {"kind": kind} if kind else {}
    told |= {"order": NEWEST} if newest_first else {}
    query = "&".join(f"{name}={value}" for name, value in told.items())
    return f"?{query}#timeline"


def _lists(request: HttpRequest, order: Order) -> list[tuple[str, Any]]:
    """Where all of a long story is to be read."""
    models: tuple[Any, ...] = (Charge, Transfer, InboundNotification, WebhookDelivery, AuditRow)
    return [
        (
            reverse(f"admin:payments_{model._meta.model_name}_changelist", query={"q": order.number}),  # noqa: SLF001
            capfirst(model._meta.verbose_name_plural),  # noqa: SLF001
        )
        for model in models
        if may_see(request, model)
    ]
