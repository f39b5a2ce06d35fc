"""What WeChat Pay's verified JSON says, in our words. Whatever is not as documented is codec.Malformed."""

from collections.abc import Mapping
from typing import Any

from payments.gateways import wechat
from payments.gateways.base import Notification, NotificationKind, Outcome, PaymentState, RefundState
from payments.gateways.wechat_v3 import codec
from payments.gateways.wechat_v3.keys import PlatformKeys

REFUND_OUTCOMES = {
    "SUCCESS": Outcome.SUCCEEDED,
    "PROCESSING": Outcome.PENDING,
    "ABNORMAL": Outcome.PENDING,
    "CLOSED": Outcome.FAILED,
}
STUCK = "ABNORMAL"
PAYMENT_EVENTS, REFUND_EVENTS = "TRANSACTION.", "REFUND."


def payment_state(content: Mapping[str, Any]) -> PaymentState:
    """A paid trade tells the whole order's amount (`total`; `payer_total` lacks the coupons), its number and when."""
    status = codec.text(content, "trade_state", is_needed=True)
    outcome = wechat.PAYMENT_OUTCOMES.get(status, Outcome.UNKNOWN)
    is_paid = outcome is Outcome.SUCCEEDED
    paid_at = codec.text(content, "success_time", is_needed=is_paid)
    return PaymentState(
        outcome=outcome,
        number=codec.text(content, "out_trade_no", is_needed=True),
        amount_fen=codec.fen(codec.member(content, "amount"), "total", is_needed=is_paid),
        trade_no=codec.text(content, "transaction_id", is_needed=is_paid),
        paid_at=codec.moment(paid_at) if paid_at else None,
        gateway_status=status,
    )


def refund_state(content: Mapping[str, Any], *, status_name: str = "status") -> RefundState:
    """The amount is `refund`, what this refund gives back: `total` is the order's."""
    status = codec.text(content, status_name, is_needed=True)
    refunded_at = codec.text(content, "success_time")
    return RefundState(
        outcome=REFUND_OUTCOMES.get(status, Outcome.UNKNOWN),
        number=codec.text(content, "out_refund_no", is_needed=True),
        amount_fen=codec.fen(codec.member(content, "amount"), "refund", is_needed=True),
        refunded_at=codec.moment(refunded_at) if refunded_at else None,
        gateway_status=status,
        is_stuck=status == STUCK,
    )


def is_refund(envelope: Mapping[str, Any]) -> bool:
    return codec.text(envelope, "event_type").startswith(REFUND_EVENTS)


def notification(envelope: Mapping[str, Any], content: Mapping[str, Any]) -> Notification:
    """`content` is what was sealed in the envelope; what it is must be what the envelope says it is."""
    event = codec.text(envelope, "event_type")
    original = codec.text(codec.member(envelope, "resource"), "original_type")
    notification_id = codec.text(envelope, "id", is_needed=True)
    if event.startswith(PAYMENT_EVENTS) and original == "transaction":
        payment = payment_state(content)
        return Notification(notification_id=notification_id, kind=NotificationKind.PAYMENT, payment=payment)
    if event.startswith(REFUND_EVENTS) and original == "refund":
        refund = refund_state(content, status_name="refund_status")
        if event != f"{REFUND_EVENTS}{refund.gateway_status}":
            raise codec.Malformed(f"{event[:32]!r} about a refund that is {refund.gateway_status[:32]!r}")
        payment = PaymentState(
            outcome=Outcome.SUCCEEDED,  # as a payment; what went back is the refunds' to tell
            number=codec.text(content, "out_trade_no", is_needed=True),
            amount_fen=codec.fen(codec.member(content, "amount"), "total"),
            trade_no=codec.text(content, "transaction_id"),
        )
        return Notification(
            notification_id=notification_id, kind=NotificationKind.REFUND, payment=payment, refund=refund
        )
    raise codec.Malformed(f"{event[:32]!r} about {original[:32]!r}: neither a payment nor a refund")


def certificates(content: Mapping[str, Any], *, key: bytes) -> list[str]:
    """The platform certificates in an answer, opened with the APIv3 key, each as PEM."""
    sealed = content.get("data")
    if not isinstance(sealed, list) or not all(isinstance(each, dict) for each in sealed):
        raise codec.Malformed("no data")
    opened = [codec.open_sealed(codec.member(each, "encrypt_certificate"), key=key) for each in sealed]
    try:
        pems = [each.decode() for each in opened]
        PlatformKeys.read(certificates="\n".join(pems))
    except ValueError as error:
        raise codec.Malformed(f"not certificates: {error}") from error
    return pems
