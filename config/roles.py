"""
What the staff are: five roles, each a group that `manage.py migrate` makes and keeps as it stands here.

A person may have several. Whoever needs another mixture makes a group of their own beside these.
"""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.db import transaction

LOOK_UP = (
    "payments.view_order", "payments.view_charge", "payments.view_refund", "payments.view_refundbatch",
    "payments.view_customer", "payments.view_appointment", "payments.view_inboundnotification",
    "payments.view_outboxevent", "payments.view_webhookdelivery", "payments.view_handconfirmation",
    "payments.view_valuerequest", "checkout.view_checkoutorder", "partner_orders.view_partnerorder",
    "partner_orders.view_giftpack", "partner_orders.view_coupon", "partner_orders.view_customercoupon",
    "partner_orders.view_customerlevel", "partner_orders.view_userlevel", "partner_orders.view_address",
    "english_app.view_englishorder", "english_app.view_good", "english_app.view_membership",
    "english_app.view_grant", "english_app.view_agent",
)  # fmt: skip
ROLES: dict[str, tuple[str, ...]] = {
    "look-up": LOOK_UP,
    "refund": (
        *LOOK_UP, "payments.view_personal_data", "payments.request_refund", "payments.refund_many",
        "payments.query_gateway",
    ),
    "approve": (
        *LOOK_UP, "payments.approve_refund", "payments.approve_confirmation", "payments.approve_grant",
        "english_app.decide_return", "payments.view_auditrow", "payments.export_rows",
    ),
    "finance": (
        *LOOK_UP, "payments.view_dayfigure", "payments.view_transfer", "payments.view_account",
        "payments.view_auditrow", "payments.view_gatewaybill", "payments.view_billline",
        "payments.view_difference", "payments.settle_difference", "payments.clear_flag", "payments.grant_value",
        "payments.request_confirmation", "payments.export_rows",
    ),
    "operator": (
        *LOOK_UP, "payments.view_dayfigure", "payments.view_personal_data", "payments.close_order",
        "payments.query_gateway", "payments.clear_flag", "payments.freeze_customer",
        "payments.replay_inboundnotification", "payments.redeliver_webhookdelivery",
        "payments.view_webhookendpoint", "payments.unpark_webhookendpoint", "payments.view_gatewayaccount",
        "payments.view_gatewaydefault", "partner_orders.ship_partnerorder",
        "partner_orders.change_partnerorder", "english_app.deliver_again",
        "payments.export_rows",
    ),
}  # fmt: skip


def make_groups(*, sender: AppConfig, using: str, **_kwargs: Any) -> None:
    """After `migrate` has made the permissions of every app: make the groups, or set right what they may."""
    if sender is not list(apps.get_app_configs())[-1]:
        return
    wanted = {(role, permission) for role, permissions in ROLES.items() for permission in permissions}
    held = Group.objects.using(using).filter(name__in=ROLES).values_list(
        "name", "permissions__content_type__app_label", "permissions__codename"
    )  # fmt: skip
    if {(name, f"{app}.{codename}") for name, app, codename in held} == wanted:
        return
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.using(using).select_related("content_type")
    }
    with transaction.atomic(using=using):
        for role, permissions in ROLES.items():
            group, _made = Group.objects.using(using).get_or_create(name=role)
            group.permissions.set(known[name] for name in permissions if name in known)
