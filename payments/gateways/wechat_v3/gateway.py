"""WeChat Pay APIv3 as a gateway: QR (native), JSAPI, WAP (h5) and APP payments; public key and certificate mode."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from payments.gateways import bills, keys, limits, wechat, wechat_bill
from payments.gateways.base import (
    Acknowledgement,
    AcknowledgementBytes,
    Bill,
    BillNotReady,
    BillUnusable,
    CloseResult,
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    Notification,
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
from payments.gateways.http import Answer
from payments.gateways.wechat_v3 import answers, codec, refusals
from payments.gateways.wechat_v3.client import WechatV3Client
from payments.gateways.wechat_v3.keys import PlatformKeys

PAYMENTS, REFUNDS, BILLS = "/v3/pay/transactions", "/v3/refund/domestic/refunds", "/v3/bill/tradebill"
ROADS = {  # mode: where it is asked for, what the answer leads the payer with
    Mode.QR: ("native", "code_url"),
    Mode.JSAPI: ("jsapi", "prepay_id"),
    Mode.WAP: ("h5", "h5_url"),
    Mode.APP: ("app", "prepay_id"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class WechatV3Account:
    """
    Public key mode: `public_key_id` (PUB_KEY_ID_…) and `public_key`. Certificate mode: `platform_certificates`, PEM
    after PEM. While WeChat moves a merchant from certificates to the key, both are needed.

    `serial_no` is that of the merchant's own certificate, `private_key` its key, `api_v3_key` the 32 characters set
    in the merchant's console.
    """

    app_id: str
    merchant_id: str
    serial_no: str
    private_key: str = dataclasses.field(repr=False)
    api_v3_key: str = dataclasses.field(repr=False)
    public_key_id: str = ""
    public_key: str = ""
    platform_certificates: str = ""
    base_url: str = "https://api.mch.weixin.qq.com"


class WechatV3Gateway:
    """
    :raises ValueError: the account cannot work as it is configured; the sentence says why
    """

    def __init__(
        self,
        account: WechatV3Account,
        *,
        client: WechatV3Client | None = None,
        now: Callable[[], datetime.datetime] = now,
    ) -> None:
        _check_account(account)
        self._account = account
        self._client = client or WechatV3Client(base_url=account.base_url)
        self._now = now
        self._api_v3_key = account.api_v3_key.encode()
        with _naming("private_key"):
            self._private_key = keys.load_private_key(account.private_key)
        self._trusted = _trust(account)
        own = self._private_key.public_key().public_numbers()
        if any(key.public_numbers() == own for key in self._trusted.by_serial.values()):
            raise ValueError("this is the merchant's own key or certificate; WeChat Pay's is needed")

    # --- the seven verbs --------------------------------------------------------------------------------------------

    def create_payment(self, request: PaymentRequest) -> PaymentStarted:
        """
        What is sent follows from the request alone: WeChat takes a number a second time only with the same
        parameters.
        """
        wechat.check_payment(request)
        if request.mode is Mode.WAP and not request.payer_address:
            raise GatewayRefused("INVALID_REQUEST", "a payment on a phone's page needs the payer's address")
        road, leads = ROADS[request.mode]
        content: dict[str, Any] = {
            "appid": self._account.app_id,
            "mchid": self._account.merchant_id,
            "description": wechat.subject(request.subject),
            "out_trade_no": request.number,
            "time_expire": codec.time_text(request.expires_at),
            "notify_url": request.notify_url,
            "amount": {"total": request.amount_fen, "currency": "CNY"},
        }
        if request.mode is Mode.JSAPI:
            content["payer"] = {"openid": request.payer_id}
        if request.mode is Mode.WAP:
            content["scene_info"] = {"payer_client_ip": request.payer_address, "h5_info": {"type": "Wap"}}
        answer = self._ask("POST", f"{PAYMENTS}/{road}", content)
        with _unknown_unless_understood():
            return PaymentStarted(payload=self._payload(request, codec.text(answer, leads, is_needed=True)))

    def query_payment(self, number: str) -> PaymentState:
        limits.check_number(number)
        try:
            answer = self._ask("GET", f"{PAYMENTS}/out-trade-no/{number}?mchid={self._account.merchant_id}")
        except GatewayRefused as refusal:
            if refusals.word(refusal.code) in refusals.NOT_FOUND:
                return PaymentState(outcome=Outcome.NOT_FOUND, number=number, gateway_status=refusal.code)
            raise
        with _unknown_unless_understood():
            _check_ours(answer, mchid=self._account.merchant_id, appid=self._account.app_id, out_trade_no=number)
            return answers.payment_state(answer)

    def close_payment(self, number: str) -> CloseResult:
        """Where WeChat's no does not say what the trade is instead, a query tells."""
        limits.check_number(number)
        try:
            self._ask("POST", f"{PAYMENTS}/out-trade-no/{number}/close", {"mchid": self._account.merchant_id})
        except GatewayRefused as refusal:
            word = refusals.word(refusal.code)
            if word in refusals.CLOSE_OUTCOMES:
                return CloseResult(outcome=refusals.CLOSE_OUTCOMES[word], gateway_status=refusal.code)
            if word not in refusals.NOT_TO_CLOSE:
                raise
            return CloseResult.refused(self.query_payment(number), gateway_status=refusal.code)
        return CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="CLOSED")

    def refund(self, request: RefundRequest) -> RefundState:
        """
        A refund is accepted here and made later: PENDING, ask.

        A permanent no is believed once WeChat's book agrees that there is no such refund: an earlier call whose
        answer was lost may have made it. What the book has is the answer then, with the amount that it has.
        """
        wechat.check_refund(request)
        reason = wechat.reason(request.reason)
        content = {
            "out_trade_no": request.charge_number,
            "out_refund_no": request.number,
            **({"reason": reason} if reason else {}),
            **({"notify_url": request.notify_url} if request.notify_url else {}),
            "amount": {"refund": request.amount_fen, "total": request.total_fen, "currency": "CNY"},
        }
        try:
            answer = self._ask("POST", REFUNDS, content)
        except GatewayRefused as refusal:
            if refusal.permanent:
                made = self.query_refund(request.number, charge_number=request.charge_number)
                if made.outcome is not Outcome.NOT_FOUND:
                    return made
            raise
        return _refund_state(answer, number=request.number, charge_number=request.charge_number)

    def query_refund(self, number: str, *, charge_number: str) -> RefundState:
        wechat.check_refund_number(number)
        try:
            answer = self._ask("GET", f"{REFUNDS}/{quote(number, safe='')}")
        except GatewayRefused as refusal:
            if refusals.word(refusal.code) in refusals.NOT_FOUND:
                return RefundState(outcome=Outcome.NOT_FOUND, number=number, gateway_status=refusal.code)
            raise
        return _refund_state(answer, number=number, charge_number=charge_number)

    def parse_notification(self, raw: RawNotification) -> Notification:
        """Freshness is judged by when the delivery came, so that what was kept can be read again."""
        try:
            if len(raw.body) > codec.MAX_NOTIFICATION_BYTES:
                raise codec.Malformed("too long")
            codec.check_signature(raw.headers, raw.body, keys=self._trusted, at=raw.received_at)
            envelope = codec.read_object(raw.body)
            content = codec.read_object(codec.open_sealed(codec.member(envelope, "resource"), key=self._api_v3_key))
            if answers.is_refund(envelope):  # its notice names no app
                _check_ours(content, mchid=self._account.merchant_id)
            else:
                _check_ours(content, mchid=self._account.merchant_id, appid=self._account.app_id)
            return answers.notification(envelope, content)
        except codec.NotSigned as error:
            raise NotificationRejected("bad_signature", str(error)) from error
        except codec.NotOurs as error:
            raise NotificationRejected("wrong_merchant", str(error)) from error
        except codec.Malformed as error:
            raise NotificationRejected("malformed", str(error)) from error

    def acknowledgement(self, answer: Acknowledgement) -> AcknowledgementBytes:
        """
        WeChat reads the status: 200 is taken whatever the body says, so a FAIL under 200 would end the retries.

        400 and not 5xx for a no: a proxy before us must neither pass it on to another node nor count us as down.
        """
        if answer is Acknowledgement.SUCCESS:
            return AcknowledgementBytes(status=200, content_type="application/json", body=b"")
        body = json.dumps({"code": "FAIL", "message": "失败"}, ensure_ascii=False, separators=(",", ":"))
        return AcknowledgementBytes(status=400, content_type="application/json", body=body.encode())

    # --- the day's bill ---------------------------------------------------------------------------------------------

    def download_bill(self, day: datetime.date) -> Bill:
        """The file itself is not signed: the signed answer that leads to it has its SHA-1."""
        try:
            answer = self._ask("GET", f"{BILLS}?bill_date={day}&bill_type=ALL")
        except GatewayRefused as refusal:
            match refusals.word(refusal.code):
                case refusals.NO_STATEMENT:
                    return bills.none_exists(day, at=self._now())
                case refusals.STATEMENT_CREATING:
                    raise BillNotReady(str(refusal)) from refusal
            raise
        with _unknown_unless_understood():
            _check_ours(answer, hash_type="SHA1")
            path = self._client.path(codec.text(answer, "download_url", is_needed=True))
            expected = codec.text(answer, "hash_value", is_needed=True)
        file = self._client.download(path, headers=self._authorization("GET", path))
        if hashlib.sha1(file, usedforsecurity=False).hexdigest() != expected.lower():
            raise BillUnusable("hash", f"{len(file)} bytes")
        return wechat_bill.read(file, day=day, merchant_id=self._account.merchant_id)

    # --- for staff --------------------------------------------------------------------------------------------------

    def download_certificates(self) -> list[str]:
        """
        WeChat's platform certificates of today, as PEM, for staff to put into the account before the old ones expire.

        The answer may be signed with a certificate that it brings: those count beside the known ones, as nobody
        without the APIv3 key can have sealed them.
        """
        answer = self._call("GET", "/v3/certificates")
        certificates: list[str] = []
        trusted = self._trusted
        if answer.status == 200:
            with _unknown_unless_understood():
                certificates = answers.certificates(codec.read_object(answer.body), key=self._api_v3_key)
                trusted |= PlatformKeys.read(certificates="\n".join(certificates))
        self._believe(answer, trusted=trusted)
        return certificates

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """WeChat's verified answer to a call that succeeded; empty where it has nothing to say."""
        return self._believe(self._call(method, path, content), trusted=self._trusted)

    def _call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Answer:
        body = b"" if content is None else json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        headers = self._authorization(method, path, body)
        if self._account.public_key_id:
            headers["Wechatpay-Serial"] = self._account.public_key_id  # asks for answers signed with this key
        return self._client.call(method, path, headers=headers, body=body)

    def _authorization(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        timestamp, nonce = _stamp(self._now())
        signed = codec.request_content(
            method=method, target=self._client.target(path), timestamp=timestamp, nonce=nonce, body=body
        )
        authorization = codec.authorization(
            merchant_id=self._account.merchant_id,
            serial_no=self._account.serial_no,
            timestamp=timestamp,
            nonce=nonce,
            signature=keys.sign(self._private_key, signed),
        )
        return {"Authorization": authorization}

    def _believe(self, answer: Answer, *, trusted: PlatformKeys) -> dict[str, Any]:
        """
        :raises GatewayUnavailable: not proven to be WeChat's. Some refusals come unsigned (SIGN_ERROR); what they say
            is in the message, for people: it may be true, but nothing may follow from it.
        :raises GatewayRefused: a definite no
        """
        try:
            codec.check_signature(answer.headers, answer.body, keys=trusted, at=self._now())
        except codec.NotSigned as error:
            said = codec.printable(answer.body[:200].decode(errors="replace"))
            raise GatewayUnavailable(f"HTTP {answer.status}, {error}: {said}") from error
        with _unknown_unless_understood():
            content = codec.read_object(answer.body) if answer.body else {}
        refusals.check(answer.status, content)
        return content

    def _payload(self, request: PaymentRequest, given: str) -> dict[str, str]:
        timestamp, nonce = _stamp(self._now())
        app_id = self._account.app_id
        match request.mode:
            case Mode.WAP:
                back = f"&redirect_url={quote(request.return_url, safe='')}" if request.return_url else ""
                return {"url": given + back}
            case Mode.APP:
                return codec.app_parameters(
                    self._private_key,
                    app_id=app_id,
                    merchant_id=self._account.merchant_id,
                    prepay_id=given,
                    timestamp=timestamp,
                    nonce=nonce,
                )
        package = f"prepay_id={given}" if request.mode is Mode.JSAPI else ""
        parameters = codec.jsapi_parameters(
            self._private_key, app_id=app_id, package=package, timestamp=timestamp, nonce=nonce
        )
        return parameters if request.mode is Mode.JSAPI else {"qr_code": given, **parameters}


def _stamp(moment: datetime.datetime) -> tuple[str, str]:
    """A time and a nonce, as every signature needs them."""
    return str(int(moment.timestamp())), secrets.token_hex(16)


def _check_ours(content: Mapping[str, Any], **ours: str) -> None:
    for name, value in ours.items():
        if content.get(name) != value:
            raise codec.NotOurs(f"about another: {name} {str(content.get(name))[:32]!r}")


def _refund_state(answer: Mapping[str, Any], *, number: str, charge_number: str) -> RefundState:
    with _unknown_unless_understood():
        _check_ours(answer, out_refund_no=number, out_trade_no=charge_number)
        return answers.refund_state(answer)


def _check_account(account: WechatV3Account) -> None:
    if not account.app_id:
        raise ValueError("app_id is needed")
    if not re.fullmatch(r"[0-9A-Za-z]{1,32}", account.merchant_id):
        raise ValueError("merchant_id is WeChat's merchant number (mchid)")
    if not re.fullmatch(r"[0-9A-Fa-f]{1,40}", account.serial_no):
        raise ValueError("serial_no is the hexadecimal serial number of the merchant's own certificate")
    if len(account.api_v3_key.encode()) != 32:
        raise ValueError("api_v3_key has 32 characters; the v2 key is another one")
    if not limits.is_absolute(account.base_url):
        raise ValueError("base_url must be absolute")


def _trust(account: WechatV3Account) -> PlatformKeys:
    if bool(account.public_key) != bool(account.public_key_id):
        raise ValueError("public_key and public_key_id belong together")
    if account.public_key and not account.public_key_id.startswith("PUB_KEY_ID_"):
        raise ValueError("public_key_id begins with PUB_KEY_ID_")
    with _naming("public_key"):
        trusted = PlatformKeys.read(public_key_id=account.public_key_id, public_key=account.public_key)
    with _naming("platform_certificates"):
        trusted |= PlatformKeys.read(certificates=account.platform_certificates)
    if not trusted.by_serial:
        raise ValueError("public_key with public_key_id, or platform_certificates, is needed")
    return trusted


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


@contextlib.contextmanager
def _unknown_unless_understood() -> Iterator[None]:
    """What cannot be read is an unknown outcome, neither a yes nor a no."""
    try:
        yield
    except (codec.Malformed, codec.NotOurs) as error:
        raise GatewayUnavailable(str(error)) from error
