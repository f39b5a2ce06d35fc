"""
The fault menu: what can go wrong between a merchant and a gateway, on demand.

A fault waits, for any trade or for one, and strikes as many times as it was armed for. Those of a call strike the
merchant's next fitting request, those of a notice when the notice is made, those of a delivery when it is sent
(so that the gateway's own repetition of it is genuine again).
"""

import dataclasses
import enum

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.simulator.models import Fault


class Stage(enum.StrEnum):
    CALL = "call"
    NOTICE = "notice"
    DELIVERY = "delivery"


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    label: Promise
    stages: tuple[Stage, ...]
    verb: str = ""  # the one kind of call it strikes; empty: any
    delay_ms: int = 0  # unless armed with another
    wires: tuple[str, ...] = ()  # the protocols it happens in; none named: any

    def fits(self, stage: Stage, wire: str, verb: str) -> bool:
        return stage in self.stages and self.verb in {"", verb} and (not self.wires or wire in self.wires)


ALIPAY, WECHAT, WECHAT_V3 = ("alipay",), ("wechat/v2", "wechat/v3"), ("wechat/v3",)

MENU = {
    kind.name: kind
    for kind in (
        Kind("timeout_before", _("No answer, and nothing was done"), (Stage.CALL,), delay_ms=20_000),
        Kind("timeout_after", _("No answer, but it was done"), (Stage.CALL,), delay_ms=20_000),
        Kind("http_500", _("HTTP 500, and nothing was done"), (Stage.CALL,)),
        Kind("garbage", _("An HTML page instead of the answer, but it was done"), (Stage.CALL,)),
        Kind("slow", _("The right answer, late"), (Stage.CALL,), delay_ms=3_000),
        Kind("unsigned_success", _("A success without signature, and nothing was done"), (Stage.CALL,)),
        Kind("bad_signature", _("The right answer under a stranger's signature"), (Stage.CALL,)),
        Kind("system_error_but_done", _("“System error”, but it was done"), (Stage.CALL,)),
        Kind("close_refused", _("Closing is refused although the trade is unpaid"), (Stage.CALL,), verb="close"),
        Kind("order_paid", _("The payer pays while the merchant closes"), (Stage.CALL,), verb="close"),
        Kind("user_paying", _("The query says that the payer is still paying"), (Stage.CALL,), "query", wires=WECHAT),
        Kind("fund_change_n", _("Refunded, but the answer does not say so"), (Stage.CALL,), "refund", wires=ALIPAY),
        Kind("refund_not_done", _("The refund is taken note of and no money moves"), (Stage.CALL,), verb="refund"),
        Kind("abnormal_refund", _("The payer's account takes no refund"), (Stage.CALL,), "refund", wires=WECHAT),
        Kind("refund_closed", _("The gateway gives the refund up"), (Stage.CALL,), "refund", wires=WECHAT),
        Kind("not_enough", _("The merchant's balance cannot bear the refund"), (Stage.CALL,), "refund", wires=WECHAT),
        Kind(
            "key_switch",
            _("The gateway signs with a new key from now on"),
            (Stage.CALL, Stage.DELIVERY),
            wires=(*ALIPAY, *WECHAT_V3),
        ),
        Kind("bill_missing", _("The bill lacks a row"), (Stage.CALL,), verb="bill"),
        Kind("bill_extra", _("The bill has a payment that nobody made"), (Stage.CALL,), verb="bill"),
        Kind("bill_amount", _("The bill tells another amount"), (Stage.CALL,), verb="bill"),
        Kind("bill_status", _("The bill shows a payment as taken back"), (Stage.CALL,), verb="bill"),
        Kind("bill_fee", _("The bill tells another fee"), (Stage.CALL,), verb="bill"),
        Kind("bill_truncated", _("The bill ends too early"), (Stage.CALL,), verb="bill"),
        Kind("bill_charset", _("The bill is in another character set"), (Stage.CALL,), verb="bill"),
        Kind("bill_wrong_day", _("The bill is of the day before"), (Stage.CALL,), verb="bill"),
        Kind("bill_not_ready", _("The bill is not made yet"), (Stage.CALL,), verb="bill"),
        Kind("lost", _("The notification never comes"), (Stage.NOTICE,)),
        Kind("late", _("The notification comes late"), (Stage.NOTICE,)),
        Kind("duplicate", _("The notification comes twice"), (Stage.NOTICE,)),
        Kind("out_of_order", _("The notification comes after the next one"), (Stage.NOTICE,)),
        Kind("wrong_amount", _("The notification tells another amount"), (Stage.DELIVERY,)),
        Kind("wrong_merchant", _("The notification is for another app and seller"), (Stage.DELIVERY,)),
        Kind("wrong_app_id", _("The notification is for another app"), (Stage.DELIVERY,)),
        Kind("wrong_seller_id", _("The notification is for another seller"), (Stage.DELIVERY,)),
        Kind("forged", _("The notification is signed by a stranger"), (Stage.DELIVERY,)),
        Kind("tampered", _("The notification was changed after signing"), (Stage.DELIVERY,)),
        Kind("no_sign", _("The notification has no signature"), (Stage.DELIVERY,), wires=WECHAT),
        Kind("signtest", _("A probe with a wrong signature comes instead"), (Stage.DELIVERY,), wires=WECHAT_V3),
        Kind("stale", _("The notification was signed ten minutes ago"), (Stage.DELIVERY,), wires=WECHAT_V3),
        Kind("unknown_serial", _("The notification names a key nobody knows"), (Stage.DELIVERY,), wires=WECHAT_V3),
    )
}


class UnknownFault(Exception):
    """There is no such fault on the menu."""


@dataclasses.dataclass(frozen=True)
class Strike:
    """A fault whose occasion has come."""

    kind: str = ""
    delay_ms: int | None = None  # as armed

    @property
    def wait_ms(self) -> int:
        return MENU[self.kind].delay_ms if self.delay_ms is None else self.delay_ms


NONE = Strike()


def arm(*, kind: str, times: int = 1, match: str = "", delay_ms: int | None = None) -> Fault:
    """
    Let `kind` happen the next `times` times.

    :raises UnknownFault: it is not on the menu
    """
    if kind not in MENU:
        raise UnknownFault(kind)
    return Fault.objects.create(kind=kind, times_left=times, match=match, delay_ms=delay_ms, armed_at=timezone.now())


def take(*, stage: Stage, out_trade_no: str, wire: str, verb: str = "") -> Strike:
    """The oldest fault that fits this occasion, used up by one; or NONE."""
    kinds = [kind.name for kind in MENU.values() if kind.fits(stage, wire, verb)]
    fitting = Fault.objects.filter(kind__in=kinds, match__in=["", out_trade_no]).order_by("id")
    if not fitting.exists():
        return NONE
    with transaction.atomic():
        fault = fitting.first()
        if fault is None:
            return NONE
        if fault.times_left == 1:
            fault.delete()
        else:
            Fault.objects.filter(pk=fault.pk).update(times_left=fault.times_left - 1)
        return Strike(kind=fault.kind, delay_ms=fault.delay_ms)
