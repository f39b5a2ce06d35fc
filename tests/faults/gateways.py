"""
The three gateways as the simulator plays them, for tests of what goes wrong between them and us: how each is set up,
where it tells us of a payment, what it takes for yes and for no, and its notices as they went over the wire.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable

from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways import registry
from payments.gateways.base import Acknowledgement, Mode, RefundRequest
from payments.models import Charge, GatewayAccount, InboundNotification, Transfer
from tests.faults.test_alipay_end_to_end import connect as connect_alipay
from tests.payments.api.accounts import connect_wechat_v2, connect_wechat_v3
from tests.simulator_process import _app_key
from tests.web_process import eventually
from tests.world import make_client, make_customer, place_order

CASH_FEN, POINTS_FEN, SHIPPING_FEN = 201_272, 13_128, 500
CARRIED = ("content-type", "wechatpay-")  # headers that belong to a notice, not to its way here


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """One gateway. `yes` and `no` are the acknowledgements it documents: status and body to the byte."""

    name: str
    channel: str
    path: str
    connect: Callable[..., GatewayAccount]
    yes: tuple[int, bytes]
    no: tuple[int, bytes]


def connect_wechat_v2_hmac(simulator, **fields):
    account = connect_wechat_v2(simulator, **fields)
    account.options = {"sign_type": "HMAC-SHA256"}
    account.save()
    return account


_V2 = {
    "channel": "wechat",
    "path": "/rest/pub/wx/pay_notify",
    "yes": (
        200,
        b"<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>",
    ),
    "no": (200, b"<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[FAIL]]></return_msg></xml>"),
}
V2 = Side(name="v2", connect=connect_wechat_v2, **_V2)
V2_HMAC = Side(name="v2-hmac", connect=connect_wechat_v2_hmac, **_V2)
V3 = Side(
    name="v3",
    channel="wechat",
    path="/rest/pub/wx/pay_notify",
    connect=connect_wechat_v3,
    yes=(200, b""),
    no=(400, '{"code":"FAIL","message":"失败"}'.encode()),
)
ALIPAY = Side(
    name="alipay",
    channel="alipay",
    path="/rest/pub/ali/pay_notify",
    connect=connect_alipay,
    yes=(200, b"success"),
    no=(200, b"failure"),
)
SIDES = {side.name: side for side in (V2, V3, ALIPAY)}
WECHAT = {side.name: side for side in (V2, V2_HMAC, V3)}


# --- paying


def place(*, number="T1", points_fen=POINTS_FEN):
    """A customer's order with 2012.72 yuan of it in cash, the rest in points."""
    client = make_client()
    make_customer(client=client, points_fen=points_fen)
    return place_order(client=client, number=number, total_fen=CASH_FEN + points_fen, shipping_fen=SHIPPING_FEN)


def place_another(order, *, number):
    """Of the same customer and with the same cash; the points are used up."""
    return place_order(client=order.client, number=number, total_fen=CASH_FEN, shipping_fen=0)


def start(order, side, mode=Mode.QR):
    payer = charges.Payer(payer_address="192.0.2.1") if mode is Mode.WAP else None
    return charges.pay_by(
        order_id=order.pk, channel=side.channel, mode=mode, actor="test", at=timezone.now(), payer=payer
    )


def ask(charge):
    return charges.reconcile(charge_id=charge.pk, at=timezone.now())


def sweep_everything():
    """Let what is waited for be due, and ask about it."""
    Charge.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
    return charges.sweep_due()


def certified(simulator, account):
    """WeChat v2 takes refunds over TLS with this certificate; the simulator without, too."""
    if account.kind == "wechat_v2":
        (known,) = [merchant for merchant in simulator.merchants() if merchant["app_id"] == account.app_id]
        certificate = {"client_cert": known["app_certificate"], "client_key": _app_key()[0]}
        account.set_credentials(account.credentials() | certificate)
        account.save()
    return account


def refund(simulator, charge, *, amount_fen, notify_url):
    """Give something back at the gateway, which then tells of it: behind our books."""
    return registry.adapter(certified(simulator, charge.gateway_account)).refund(
        RefundRequest(
            number=f"{charge.number}r1",
            charge_number=charge.number,
            amount_fen=amount_fen,
            total_fen=charge.amount_fen,
            notify_url=notify_url,
        )
    )


# --- what stands in the books


def is_finished(order):
    order.refresh_from_db()
    return order.status == "pay_finished"


def status_of(order):
    order.refresh_from_db()
    return order.status, order.money_flag


def verdicts():
    return Counter(InboundNotification.objects.values_list("verdict", flat=True))


def booked():
    """The cash that gateways owe us by the books, one entry for each payment."""
    transfers = Transfer.objects.filter(debit__startswith="clearing:").order_by("id")
    return list(transfers.values_list("credit", "amount_fen"))


# --- notices


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notice:
    """One delivery as the gateway sent it."""

    headers: dict[str, str]
    body: bytes

    def changed(self, **headers):
        """With these headers (None: without), or another `body`; the signature stays what it was."""
        body = headers.pop("body", self.body)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        kept = {name: text for name, text in self.headers.items() if name not in named}
        return Notice(headers=kept | {name: text for name, text in named.items() if text is not None}, body=body)


def catch(simulator, receiver, side, charge, *, event="paid", fault=""):
    """Have the simulator tell a receiver of ours of an event, and return the delivery."""
    account = charge.gateway_account
    receiver.acknowledgement = registry.adapter(account).acknowledgement(Acknowledgement.SUCCESS).body
    told = eventually(
        lambda: [each for each in simulator.notifications(charge.number) if each["event"] == event]
    )[-1]  # fmt: skip
    # The first delivery goes by itself; a fault is for one that is sent by hand afterwards.
    eventually(lambda: any(one["accepted"] for one in _deliveries(simulator, charge, told["id"])))
    if fault:
        simulator.arm(fault, match=charge.number)
    simulator.resend(told["id"])
    raw = receiver.received[-1]
    headers = {name.lower(): text for name, text in raw.headers.items()}
    return Notice(
        headers={name: text for name, text in headers.items() if name.startswith(CARRIED)}, body=raw.body
    )  # fmt: skip


def _deliveries(simulator, charge, notification_id):
    return next(each["deliveries"] for each in simulator.notifications(charge.number) if each["id"] == notification_id)


def post(site, side, notice, **headers):
    """Deliver a notice to our site, and return status and body of the answer."""
    response = site.http.post(side.path, content=notice.body, headers=notice.headers | headers)
    return response.status_code, response.content


def let_its_time_run_out(order):
    """The order's, and that of its attempts at the gateway."""
    now = timezone.now()
    type(order).objects.filter(pk=order.pk).update(expires_at=now)
    Charge.objects.filter(order=order, expires_at__isnull=False).update(expires_at=now)
