"""The back-office's menu."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

# group: (title, icon, model) …
MENU: dict[Any, list[tuple[Any, str, str]]] = {
    _("Orders"): [
        (_("Orders"), "receipt_long", "payments_order"),
        (_("Charges"), "payments", "payments_charge"),
        (_("Refunds"), "undo", "payments_refund"),
        (_("Refunds of many orders"), "playlist_remove", "payments_refundbatch"),
        (_("Payments confirmed by hand"), "fact_check", "payments_handconfirmation"),
        (_("Customers"), "group", "payments_customer"),
        (_("Points and balance by staff"), "volunteer_activism", "payments_valuerequest"),
        (_("Points mall documents"), "shopping_bag", "checkout_checkoutorder"),
        (_("Appointments"), "event", "payments_appointment"),
    ],
    _("Partner programme"): [
        (_("Partner orders"), "redeem", "partner_orders_partnerorder"),
        (_("Gift packs"), "package_2", "partner_orders_giftpack"),
        (_("Coupons"), "local_activity", "partner_orders_coupon"),
        (_("Customers' coupons"), "confirmation_number", "partner_orders_customercoupon"),
        (_("Customers' levels"), "military_tech", "partner_orders_customerlevel"),
        (_("Partner levels"), "stairs", "partner_orders_userlevel"),
        (_("Addresses"), "home_pin", "partner_orders_address"),
    ],
    _("English app"): [
        (_("English orders"), "school", "english_app_englishorder"),
        (_("Goods"), "sell", "english_app_good"),
        (_("Memberships"), "card_membership", "english_app_membership"),
        (_("Granted goods"), "inventory", "english_app_grant"),
        (_("Agents"), "hub", "english_app_agent"),
    ],
    _("Books"): [
        (_("Figures by day"), "monitoring", "payments_dayfigure"),
        (_("Transfers"), "swap_horiz", "payments_transfer"),
        (_("Accounts"), "account_balance_wallet", "payments_account"),
        (_("Audit rows"), "history", "payments_auditrow"),
        (_("Exports"), "download", "payments_export"),
    ],
    _("Reconciliation"): [
        (_("Differences"), "difference", "payments_difference"),
        (_("Gateways' bills"), "request_quote", "payments_gatewaybill"),
        (_("Lines of bills"), "list_alt", "payments_billline"),
    ],
    _("Gateways"): [
        (_("Gateway notifications"), "inbox", "payments_inboundnotification"),
        (_("Gateway accounts"), "account_balance", "payments_gatewayaccount"),
        (_("Default gateway accounts"), "alt_route", "payments_gatewaydefault"),
    ],
    _("Webhooks"): [
        (_("Webhook deliveries"), "outbox", "payments_webhookdelivery"),
        (_("Webhook events"), "campaign", "payments_outboxevent"),
        (_("Webhook endpoints"), "webhook", "payments_webhookendpoint"),
    ],
    _("Access"): [
        (_("API clients"), "key", "payments_apiclient"),
        (_("Staff and service accounts"), "person", "auth_user"),
        (_("Groups"), "shield_person", "auth_group"),
    ],
}


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """What unfold shows at the side: of each group what this person may see."""
    groups = [
        {"title": title, "items": [_item(*entry) for entry in entries if may_see(request, entry[2])]}
        for title, entries in MENU.items()
    ]
    return [group for group in groups if group["items"]]


def own_account(request: HttpRequest) -> list[dict[str, Any]]:
    """What unfold shows under a person's own name."""
    return [
        {"title": _("Log-in and security"), "link": reverse_lazy("admin:security")},
        {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
    ]


def _item(title: Any, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


def may_see(request: HttpRequest, model: str) -> bool:
    """Whether this person may look at `app_model`; an app's name may have underscores, a model's has none."""
    app, _underscore, name = model.rpartition("_")
    return bool(admin.site.get_model_admin(apps.get_model(app, name)).has_view_permission(request))
