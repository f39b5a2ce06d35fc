"""Alipay as a gateway: QR (precreate), PAGE, WAP and APP payments; key mode and certificate mode."""

import contextlib
import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from payments.gateways import bills, keys, limits
from payments.gateways.alipay import bill, codec, refusals
from payments.gateways.alipay.client import AlipayClient
from payments.gateways.alipay.keys import TrustedKeys, certificate_serial, root_serial
from payments.gateways.base import (
    Acknowledgement,
    AcknowledgementBytes,
    Bill,
    CloseResult,
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    Notification,
    NotificationKind,
    NotificationRejected,
    Outcome,
    PaymentRequest,
    PaymentStarted,
    PaymentState,
    RawNotification,
    RefundRequest,
    RefundState,
    now,
)

MOST_FEN = 100_000_000_00
METHODS = {  # mode: method, product code
    Mode.QR: ("alipay.trade.precreate", "FACE_TO_FACE_PAYMENT"),
    Mode.PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    Mode.WAP: ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    Mode.APP: ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
}
BILL = "alipay.data.dataservice.bill.downloadurl.query"
PAYMENT_OUTCOMES = {
    "WAIT_BUYER_PAY": Outcome.PENDING,
    "TRADE_SUCCESS": Outcome.SUCCEEDED,
    "TRADE_FINISHED": Outcome.SUCCEEDED,  # paid, and no longer refundable
}
REFUND_OUTCOMES = {"REFUND_SUCCESS": Outcome.SUCCEEDED, "REFUND_PROCESSING": Outcome.PENDING}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlipayAccount:
    """
    Key mode: `alipay_public_key`. Certificate mode: `app_cert`, `alipay_cert` and `root_cert`, as PEM.

    `seller_id` (the 2088… of the merchant) is required: without it a notification of another merchant that uses the
    same application would pass for ours.
    """

    app_id: str
    seller_id: str
    private_key: str = dataclasses.field(repr=False)
    alipay_public_key: str = ""
    app_cert: str = ""
    alipay_cert: str = ""
    root_cert: str = ""
    aes_key: str = dataclasses.field(default="", repr=False)
    base_url: str = "https://openapi.alipay.com/gateway.do"


class AlipayGateway:
    """
    :raises ValueError: the account cannot work as it is configured; the sentence says why
    """

    def __init__(
        self,
        account: AlipayAccount,
        *,
        client: AlipayClient | None = None,
        now: Callable[[], datetime.datetime] = now,
    ) -> None:
        if not account.app_id or not account.seller_id:
            raise ValueError("app_id and seller_id are both needed")
        if not limits.is_absolute(account.base_url):
            raise ValueError("base_url must be absolute")
        self._account = account
        self._client = client or AlipayClient(base_url=account.base_url)
        self._now = now
        self._private_key = keys.load_private_key(account.private_key)
        self._trusted, self._serials = _trust(account)
        if self._trusted.default.public_numbers() == self._private_key.public_key().public_numbers():
            raise ValueError("this is the application's public key; Alipay's own is needed")

    # --- the seven verbs --------------------------------------------------------------------------------------------

    def create_payment(self, request: PaymentRequest) -> PaymentStarted:
        """
        QR asks Alipay; the other modes are a signed request that the payer's side carries there.

        An unscanned QR code is no trade yet: query and close answer NOT_FOUND while it can still be paid.
        """
        limits.check_payment(request, most_fen=MOST_FEN)
        if request.mode not in METHODS:
            raise GatewayRefused("MODE_NOT_SUPPORTED", request.mode)
        method, product_code = METHODS[request.mode]
        business = {
            "out_trade_no": request.number,
            "total_amount": codec.yuan_text(request.amount_fen),
            "subject": re.sub(r"[/=&]", " ", request.subject)[:256],  # Alipay takes no `/`, `=`, `&` here
            "product_code": product_code,
            "time_expire": codec.time_text(request.expires_at),
        }
        addresses = {"notify_url": request.notify_url}
        if request.mode is Mode.QR:
            answer = self._ask(method, business, **addresses)
            return PaymentStarted(payload={"qr_code": _text(answer, "qr_code")})
        if request.mode is Mode.APP:
            return PaymentStarted(payload={"order_string": self._signed(method, business, **addresses)})
        if request.mode is Mode.WAP and request.return_url:
            business["quit_url"] = request.return_url  # where a payer who gives up is led
        query = self._signed(method, business, **addresses, return_url=request.return_url)
        return PaymentStarted(payload={"url": f"{self._account.base_url}?{query}"})

    def query_payment(self, number: str) -> PaymentState:
        try:
            answer = self._ask("alipay.trade.query", {"out_trade_no": number})
        except GatewayRefused as refusal:
            if refusal.code == refusals.TRADE_NOT_EXIST:
                return PaymentState(outcome=Outcome.NOT_FOUND, number=number, gateway_status=refusal.code)
            raise
        with _unknown_unless_understood():
            return _payment_state(answer, paid_at=_text(answer, "send_pay_date"))

    def close_payment(self, number: str) -> CloseResult:
        """Alipay's no says only that the trade is not waiting for its payer; what it is instead, a query tells."""
        try:
            self._ask("alipay.trade.close", {"out_trade_no": number})
        except GatewayRefused as refusal:
            if refusal.code == refusals.TRADE_NOT_EXIST:
                return CloseResult(outcome=Outcome.NOT_FOUND, gateway_status=refusal.code)
            if refusal.code not in refusals.NOT_WAITING_FOR_PAYMENT:
                raise
            return CloseResult.refused(self.query_payment(number), gateway_status=refusal.code)
        return CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="TRADE_CLOSED")

    def refund(self, request: RefundRequest) -> RefundState:
        """
        Only `fund_change` Y says that money moved. Anything else may be a repeat of a refund that was made, or one
        that is still being made: UNKNOWN, ask.

        A permanent no is believed once Alipay's book agrees that there is no such refund: an earlier call whose
        answer was lost may have made it. What the book has is the answer then, with the amount that it has.
        """
        limits.check_number(request.number)
        business = {
            "out_trade_no": request.charge_number,
            "out_request_no": request.number,
            "refund_amount": codec.yuan_text(request.amount_fen),
            "refund_reason": request.reason[:256],
        }
        try:
            answer = self._ask("alipay.trade.refund", business)
        except GatewayRefused as refusal:
            if refusal.permanent:
                made = self.query_refund(request.number, charge_number=request.charge_number)
                if made.outcome is not Outcome.NOT_FOUND:
                    return made
            raise
        fund_change = _text(answer, "fund_change")
        if fund_change != "Y":
            status = f"fund_change={fund_change}"
            return RefundState(outcome=Outcome.UNKNOWN, number=request.number, gateway_status=status)
        with _unknown_unless_understood():
            return RefundState(
                outcome=Outcome.SUCCEEDED,
                number=request.number,
                amount_fen=request.amount_fen,  # the answer's refund_fee is the sum of all refunds of the trade
                refunded_at=_moment(_text(answer, "gmt_refund_pay")),
                gateway_status="fund_change=Y",
            )

    def query_refund(self, number: str, *, charge_number: str) -> RefundState:
        """`10000` says that the query worked. Only REFUND_SUCCESS says that the refund did."""
        business = {"out_trade_no": charge_number, "out_request_no": number, "query_options": ["gmt_refund_pay"]}
        try:
            answer = self._ask("alipay.trade.fastpay.refund.query", business)
        except GatewayRefused as refusal:
            if refusal.code == refusals.TRADE_NOT_EXIST:
                return RefundState(outcome=Outcome.NOT_FOUND, number=number, gateway_status=refusal.code)
            raise
        status, amount = _text(answer, "refund_status"), _text(answer, "refund_amount")
        if not status and not amount:
            return RefundState(outcome=Outcome.NOT_FOUND, number=number)
        if _text(answer, "out_request_no") != number:
            raise GatewayUnavailable("an answer about another refund")
        with _unknown_unless_understood():
            return RefundState(
                outcome=REFUND_OUTCOMES.get(status, Outcome.UNKNOWN),
                number=number,
                amount_fen=codec.fen(amount),
                refunded_at=_moment(_text(answer, "gmt_refund_pay")),
                gateway_status=status,
            )

    def parse_notification(self, raw: RawNotification) -> Notification:
        try:
            fields = codec.read_notification(raw.body, self._trusted)
        except codec.NotSigned as error:
            raise NotificationRejected("bad_signature", str(error)) from error
        except codec.Malformed as error:
            raise NotificationRejected("malformed", str(error)) from error
        for name, ours in (("app_id", self._account.app_id), ("seller_id", self._account.seller_id)):
            if fields.get(name) != ours:
                raise NotificationRejected("wrong_merchant", f"{name} {fields.get(name, '')[:32]!r}")
        try:
            return _notification(fields)
        except codec.Malformed as error:
            raise NotificationRejected("malformed", str(error)) from error

    def acknowledgement(self, answer: Acknowledgement) -> AcknowledgementBytes:
        """Alipay reads the body alone: it asks again unless that is `success` and nothing else."""
        return AcknowledgementBytes(status=200, content_type="text/plain", body=answer.value.encode())

    # --- the day's bill ---------------------------------------------------------------------------------------------

    def download_bill(self, day: datetime.date) -> Bill:
        """The file is not signed; the address that leads to it is, and we follow it to Alipay's own site only."""
        try:
            answer = self._ask(BILL, {"bill_type": "trade", "bill_date": f"{day}"})
        except GatewayRefused as refusal:
            if refusal.code in refusals.NO_BILL:
                return bills.none_exists(day, at=self._now())
            raise
        file = self._client.download(_text(answer, "bill_download_url"))
        return bill.read(file, day=day, seller_id=self._account.seller_id)

    # --- asking -----------------------------------------------------------------------------------------------------

    def _signed(self, method: str, business: Mapping[str, Any], **addresses: str) -> str:
        content = json.dumps(business, ensure_ascii=False, separators=(",", ":"))
        encrypted = self._account.aes_key != ""
        parameters = {
            "app_id": self._account.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": codec.time_text(self._now()),
            "version": "1.0",
            "biz_content": codec.encrypt(content, self._account.aes_key) if encrypted else content,
            "encrypt_type": "AES" if encrypted else "",
            **addresses,
            **self._serials,
        }
        return codec.signed_request(parameters, self._private_key)

    def _ask(self, method: str, business: Mapping[str, Any], **addresses: str) -> dict[str, Any]:
        """Alipay's verified answer to a call that succeeded, about the trade that was asked about."""
        body = self._client.post(self._signed(method, business, **addresses))
        member = codec.response_member(method)
        with _unknown_unless_understood():
            answer = codec.read_response(body, member=member, keys=self._trusted, aes_key=self._account.aes_key)
        refusals.check(answer)
        asked = business.get("out_trade_no", "")
        if answer.get("out_trade_no", asked) != asked:
            raise GatewayUnavailable("an answer about another trade")
        return answer


def _trust(account: AlipayAccount) -> tuple[TrustedKeys, dict[str, str]]:
    """Alipay's keys, and the serial numbers that requests carry in certificate mode."""
    certificates = (account.app_cert, account.alipay_cert, account.root_cert)
    if not any(certificates):
        return TrustedKeys(default=keys.load_public_key(account.alipay_public_key)), {}
    if not all(certificates):
        raise ValueError("certificate mode needs app_cert, alipay_cert and root_cert")
    own = keys.load_certificates(account.app_cert)[0]
    if own.public_key() != keys.load_private_key(account.private_key).public_key():
        raise ValueError("app_cert is not the certificate of private_key")
    serials = {
        "app_cert_sn": certificate_serial(own),
        "alipay_root_cert_sn": root_serial(account.root_cert),
    }
    return TrustedKeys.from_certificates(account.alipay_cert), serials


@contextlib.contextmanager
def _unknown_unless_understood() -> Iterator[None]:
    """What cannot be verified or read is an unknown outcome, neither a yes nor a no."""
    try:
        yield
    except (codec.NotSigned, codec.Malformed) as error:
        raise GatewayUnavailable(str(error)) from error


def _text(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name) or "")


def _moment(text: str) -> datetime.datetime | None:
    return codec.moment(text) if text else None


def _payment_state(fields: Mapping[str, Any], *, paid_at: str) -> PaymentState:
    """
    TRADE_CLOSED is two things. With a time of payment the trade was paid and all of it went back: as a payment it
    succeeded. Without one it was never paid and never will be.
    """
    status = _text(fields, "trade_status")
    outcome = PAYMENT_OUTCOMES.get(status, Outcome.UNKNOWN)
    if status == "TRADE_CLOSED":
        outcome = Outcome.SUCCEEDED if paid_at else Outcome.FAILED
    amount = _text(fields, "total_amount")
    if outcome is Outcome.SUCCEEDED and not amount:
        raise codec.Malformed("a paid trade without total_amount")
    return PaymentState(
        outcome=outcome,
        number=_text(fields, "out_trade_no"),
        amount_fen=codec.fen(amount) if amount else None,
        trade_no=_text(fields, "trade_no"),
        paid_at=_moment(paid_at),
        buyer=_text(fields, "buyer_logon_id"),
        gateway_status=status,
    )


def _notification(fields: Mapping[str, str]) -> Notification:
    """
    A refund comes as another notice of its payment: TRADE_SUCCESS while something is left, TRADE_CLOSED when nothing
    is, both with `refund_fee` above zero (a plain payment may carry `0.00`) and our refund number in `out_biz_no`.
    """
    if not fields.get("notify_id") or not fields.get("out_trade_no"):
        raise codec.Malformed("not a notice about a trade")
    payment = _payment_state(fields, paid_at=fields.get("gmt_payment", ""))
    kind, refund = NotificationKind.PAYMENT, None
    if codec.fen(fields.get("refund_fee", "0")) > 0:
        kind = NotificationKind.REFUND
        payment = dataclasses.replace(payment, outcome=Outcome.SUCCEEDED)
        refund = RefundState(
            outcome=Outcome.SUCCEEDED,
            number=fields.get("out_biz_no", ""),
            amount_fen=None,  # refund_fee is the sum of all refunds so far: what this one moved, query_refund tells
            refunded_at=_moment(fields.get("gmt_refund", "")),
            gateway_status=payment.gateway_status,
        )
    elif payment.gateway_status == "TRADE_CLOSED":
        kind = NotificationKind.CLOSED
    return Notification(notification_id=fields["notify_id"], kind=kind, payment=payment, refund=refund)
