"""What people do: renew an account's keys, and see to the refunds that came to nothing by themselves."""

from django.utils import timezone

from payments.charges.states import Status as ChargeStatus
from payments.gateways import registry
from payments.gateways.base import GatewayUnavailable, RefundRequest
from payments.models import Charge, GatewayAccount, RefundLeg
from payments.refunds import operations as refunds
from payments.refunds.states import LEG_OPEN
from tests.soak.shops import platform_keys


def renew_keys(*, simulator):
    """
    What staff do when a gateway has begun to sign with another key: put the new one into the account.

    Returns how many accounts had an old one.
    """
    renewed = 0
    for merchant in simulator.merchants():
        account = GatewayAccount.objects.get(app_id=merchant["app_id"])
        if account.kind == "wechat_v2":
            continue  # it signs with the merchant's own secret
        if account.kind == "wechat_v3":
            present = platform_keys(merchant)
        elif merchant["mode"] == "certificate":
            present = {"alipay_cert": merchant["alipay_certificate"]}
        else:
            present = {"alipay_public_key": merchant["alipay_public_key"]}
        if account.options | present != account.options:
            account.options |= present
            account.save()
            renewed += 1
    return renewed


def lead_on_refunds(*, book):
    """
    In the gateway's console: what stands still there, because the payer's account takes nothing or nobody knows why,
    goes on when it is asked for again under its number. Returns how many did.
    """
    standing = {each.number for each in book.refunds() if each.is_waiting and each.trouble != "closed"}
    led = 0
    for leg in RefundLeg.objects.filter(number__in=standing, status__in=LEG_OPEN).select_related("refund", "charge"):
        request = RefundRequest(
            number=leg.number, charge_number=leg.charge.number, amount_fen=leg.amount_fen,
            total_fen=leg.charge.paid_fen or 0, reason=leg.refund.reason,
        )  # fmt: skip
        try:
            registry.adapter(leg.charge.gateway_account).refund(request)
        except GatewayUnavailable:  # the next look tells
            continue
        led += 1
    return led


def give_surplus_back():
    """What came late or twice and whose refund failed goes back by no machine. Returns how many were asked for."""
    left = Charge.objects.filter(status=ChargeStatus.SURPLUS, refunding_fen=0, refund_legs__isnull=False).distinct()
    for charge in left:
        refunds.refund_surplus(charge_id=charge.pk, actor="user:soak", reason="soak", at=timezone.now())
    return len(left)
