"""Which rights are money's: who has one of them proves by a second factor who they are."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin

# What moves money, what decides where it goes, and what gives such rights away.
MONEY_PERMISSIONS = (
    "payments.request_refund",
    "payments.approve_refund",
    "payments.refund_many",
    "payments.settle_difference",
    "payments.grant_value",
    "payments.approve_grant",
    "payments.close_order",
    "payments.request_confirmation",
    "payments.approve_confirmation",
    "payments.clear_flag",
    "payments.freeze_customer",
    "payments.replay_inboundnotification",
    "payments.add_gatewayaccount",
    "payments.change_gatewayaccount",
    "payments.add_gatewaydefault",
    "payments.change_gatewaydefault",
    "payments.add_apiclient",
    "payments.change_apiclient",
    "auth.add_user",
    "auth.change_user",
    "auth.add_group",
    "auth.change_group",
    *settings.FAMILIES_MONEY_PERMISSIONS,
)


def hold_money(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether this person has a right of money, at this moment."""
    return isinstance(user, PermissionsMixin) and any(map(user.has_perm, MONEY_PERMISSIONS))


def is_confined(user: Any) -> bool:
    """Whether this person, in this session, gets no further than setting up their second factor."""
    return bool(settings.REQUIRE_TOTP and not user.is_verified() and hold_money(user))
