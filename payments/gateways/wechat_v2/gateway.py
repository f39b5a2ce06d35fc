"""WeChat Pay v2 as a gateway: QR (NATIVE), JSAPI, WAP (H5, `MWEB`) and APP payments."""

import contextlib
import dataclasses
import datetime
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import quote, urlsplit

from payments.gateways import bills, limits, wechat, wechat_bill
from payments.gateways.base import (
    Acknowledgement,
    AcknowledgementBytes,
    Bill,
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
from payments.gateways.wechat_v2 import codec, markup, refusals, tidings
from payments.gateways.wechat_v2.client import WechatV2Client, certified_context

TRADE_TYPES = {Mode.QR: "NATIVE", Mode.JSAPI: "JSAPI", Mode.WAP: "MWEB", Mode.APP: "APP"}
# Where the payer's address is not known. It must be the same in each repeat, so it is no address of this machine.
FALLBACK_ADDRESS = "127.0.0.1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WechatV2Account:
    """`client_cert` and `client_key`, as PEM, are what refunds need; everything else works without them."""

    app_id: str
    merchant_id: str
    api_key: str = dataclasses.field(repr=False)  # 32 characters, set in the merchant's console; not the APIv3 key
    sign_type: str = codec.MD5
    client_cert: str = ""
    client_key: str = dataclasses.field(default="", repr=False)
    base_url: str = "https://api.mch.weixin.qq.com"


class WechatV2Gateway:
    """
    :raises ValueError: the account cannot work as it is configured; the sentence says why
    """

    def __init__(
        self,
        account: WechatV2Account,
        *,
        client: WechatV2Client | None = None,
        now: Callable[[], datetime.datetime] = now,
    ) -> None:
        if not account.app_id or not account.merchant_id:
            raise ValueError("app_id and merchant_id are both needed")
        if not re.fullmatch(r"[!-~]{32}", account.api_key):
            raise ValueError("api_key must have 32 characters")
        if account.sign_type not in codec.SIGN_TYPES:
            raise ValueError(f"sign_type must be one of {', '.join(codec.SIGN_TYPES)}")
        if not limits.is_absolute(account.base_url):
            raise ValueError("base_url must be absolute")
        if bool(account.client_cert) != bool(account.client_key):
            raise ValueError("client_cert and client_key belong together: one of them is missing")
        certified = None
        if account.client_cert:
            certified = certified_context(client_cert=account.client_cert, client_key=account.client_key)
        self._account = account
        self._client = client or WechatV2Client(base_url=account.base_url, certified=certified)
        self._now = now

    # --- the seven verbs --------------------------------------------------------------------------------------------

    def create_payment(self, request: PaymentRequest) -> PaymentStarted:
        """
        Everything but the nonce follows from the request alone: a repeat under one number must repeat every parameter.

        QR carries, beside its code, what JSAPI needs: document 003 shows both in one answer.
        """
        wechat.check_payment(request)
        trade_type = TRADE_TYPES[request.mode]
        fields = {
            "body": wechat.subject(request.subject),
            "out_trade_no": request.number,
            "total_fee": str(request.amount_fen),
            "spbill_create_ip": request.payer_address or FALLBACK_ADDRESS,
            "time_expire": codec.time_text(request.expires_at),
            "notify_url": request.notify_url,
            "trade_type": trade_type,
            "product_id": request.number if request.mode is Mode.QR else "",
            "openid": request.payer_id if request.mode is Mode.JSAPI else "",
            "scene_info": _scene(request) if request.mode is Mode.WAP else "",
        }
        answer = self._ask("/pay/unifiedorder", fields, about=("trade_type",))
        with _unknown_unless_understood():
            prepay_id = tidings.needed(answer, "prepay_id")
            match request.mode:
                case Mode.QR:
                    return PaymentStarted(
                        payload={"qr_code": tidings.needed(answer, "code_url"), **self._for_jsapi(prepay_id)}
                    )
                case Mode.WAP:
                    back = f"&redirect_url={quote(request.return_url, safe='')}" if request.return_url else ""
                    return PaymentStarted(payload={"url": tidings.needed(answer, "mweb_url") + back})
                case Mode.APP:
                    return PaymentStarted(payload=self._for_app(prepay_id))
                case _:
                    return PaymentStarted(payload=self._for_jsapi(prepay_id))

    def query_payment(self, number: str) -> PaymentState:
        try:
            answer = self._ask("/pay/orderquery", {"out_trade_no": number}, about=("out_trade_no",))
        except GatewayRefused as refusal:
            if refusal.code == refusals.ORDER_NOT_EXIST:
                return PaymentState(outcome=Outcome.NOT_FOUND, number=number, gateway_status=refusal.code)
            raise
        with _unknown_unless_understood():
            return tidings.queried_payment(answer)

    def close_payment(self, number: str) -> CloseResult:
        """
        WeChat does not close a trade younger than five minutes: PENDING. What else a no may mean, a query tells.
        """
        try:
            self._ask("/pay/closeorder", {"out_trade_no": number})
        except GatewayRefused as refusal:
            if refusal.code == refusals.ORDER_PAID:
                return CloseResult(outcome=Outcome.FAILED, gateway_status=refusal.code)
            if refusal.code == refusals.ORDER_CLOSED:
                return CloseResult(outcome=Outcome.SUCCEEDED, gateway_status=refusal.code)
            if refusal.code == refusals.ORDER_NOT_EXIST:
                return CloseResult(outcome=Outcome.NOT_FOUND, gateway_status=refusal.code)
            if refusal.code not in refusals.NOT_TO_CLOSE:
                raise
            return CloseResult.refused(self.query_payment(number), gateway_status=str(refusal))
        return CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="CLOSED")

    def refund(self, request: RefundRequest) -> RefundState:
        """
        WeChat's yes means that the refund was accepted, no more: PENDING, ask.

        A permanent no is believed once WeChat's book agrees that there is no such refund: an earlier call whose
        answer was lost may have made it. What the book has is the answer then, with the amount that it has.
        """
        wechat.check_refund(request)
        if not self._account.client_cert:
            # Not permanent: staff can add the certificate, and nothing was sent.
            message = "refunds need the merchant's certificate and its key; this account has none"
            raise GatewayRefused(refusals.CERTIFICATE_MISSING, message, permanent=False)
        fields = {
            "out_trade_no": request.charge_number,
            "out_refund_no": request.number,
            "total_fee": str(request.total_fen),
            "refund_fee": str(request.amount_fen),
            "refund_desc": wechat.reason(request.reason),
            "notify_url": request.notify_url,
        }
        try:
            answer = self._ask(
                "/secapi/pay/refund", fields, about=("out_trade_no", "out_refund_no"), with_certificate=True
            )
        except GatewayRefused as refusal:
            if refusal.permanent:
                made = self.query_refund(request.number, charge_number=request.charge_number)
                if made.outcome is not Outcome.NOT_FOUND:
                    return made
            raise
        with _unknown_unless_understood():
            amount = codec.fen(tidings.needed(answer, "refund_fee"))
        return RefundState(outcome=Outcome.PENDING, number=request.number, amount_fen=amount)

    def query_refund(self, number: str, *, charge_number: str) -> RefundState:
        try:
            answer = self._ask("/pay/refundquery", {"out_refund_no": number})
        except GatewayRefused as refusal:
            if refusal.code in {refusals.REFUND_NOT_EXIST, refusals.ORDER_NOT_EXIST}:
                return RefundState(outcome=Outcome.NOT_FOUND, number=number, gateway_status=refusal.code)
            raise
        if answer.get("out_trade_no") != charge_number:
            raise GatewayUnavailable("an answer about another trade")
        with _unknown_unless_understood():
            return tidings.queried_refund(answer, number=number)

    def parse_notification(self, raw: RawNotification) -> Notification:
        """
        A refund notice is sealed, not signed, and its cipher does not keep whole blocks from being exchanged: what it
        tells is worth a query, not a booking.
        """
        try:
            fields = markup.read(raw.body)
            if "req_info" in fields:
                sealed = codec.unseal(fields["req_info"], api_key=self._account.api_key)
                self._check_merchant(fields)
                return tidings.refund_notification(sealed)
            fields = codec.read_signed(raw.body, api_key=self._account.api_key)
            self._check_merchant(fields)
            return tidings.payment_notification(fields)
        except codec.NotSigned as error:
            raise NotificationRejected("bad_signature", str(error)) from error
        except markup.Malformed as error:
            raise NotificationRejected("malformed", str(error)) from error

    def acknowledgement(self, answer: Acknowledgement) -> AcknowledgementBytes:
        """WeChat v2 reads the words alone, so its no goes out under 200 too: another status tells it nothing more."""
        code, message = ("SUCCESS", "OK") if answer is Acknowledgement.SUCCESS else ("FAIL", "FAIL")
        body = markup.write({"return_code": code, "return_msg": message})
        return AcknowledgementBytes(status=200, content_type="text/xml", body=body)

    # --- the day's bill ---------------------------------------------------------------------------------------------

    def download_bill(self, day: datetime.date) -> Bill:
        """
        WeChat signs no bill of v2, nor that there is none: only what it adds up to tells whether all of it came, and
        nothing that it says may move money.
        """
        fields = {"bill_type": "ALL", "bill_date": f"{day:%Y%m%d}"}
        file = self._client.download("/pay/downloadbill", self._signed(fields))
        if not file[:64].lstrip().startswith(b"<"):
            return wechat_bill.read(file, day=day, merchant_id=self._account.merchant_id)
        with _unknown_unless_understood():
            refusals.check_bill(markup.read(file))
        return bills.none_exists(day, at=self._now())

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(
        self, path: str, fields: Mapping[str, str], *, about: Sequence[str] = (), with_certificate: bool = False
    ) -> dict[str, str]:
        """WeChat's verified answer to a call that succeeded. The fields named in `about` must come back as sent."""
        body = self._client.post(path, self._signed(fields), with_certificate=with_certificate)
        with _unknown_unless_understood():
            answer = codec.read_signed(body, api_key=self._account.api_key)
        for name, ours in (("appid", self._account.app_id), ("mch_id", self._account.merchant_id)):
            if answer.get(name) != ours:
                raise GatewayUnavailable(f"an answer for another merchant: {name} {answer.get(name, '')[:32]!r}")
        refusals.check(answer)
        for name in about:
            if answer.get(name) != fields[name]:
                raise GatewayUnavailable(f"an answer about another trade: {name} {answer.get(name, '')[:32]!r}")
        return answer

    def _signed(self, fields: Mapping[str, str]) -> bytes:
        sent = {
            "appid": self._account.app_id,
            "mch_id": self._account.merchant_id,
            "nonce_str": secrets.token_hex(16),
            "sign_type": self._account.sign_type,
            **fields,
        }
        return codec.signed_request(sent, api_key=self._account.api_key, sign_type=self._account.sign_type)

    def _check_merchant(self, fields: Mapping[str, str]) -> None:
        for name, ours in (("appid", self._account.app_id), ("mch_id", self._account.merchant_id)):
            if fields.get(name) != ours:
                raise NotificationRejected("wrong_merchant", f"{name} {fields.get(name, '')[:32]!r}")

    # --- what the payer's side needs --------------------------------------------------------------------------------

    def _for_jsapi(self, prepay_id: str) -> dict[str, str]:
        payload = {
            "appId": self._account.app_id,
            "timeStamp": _seconds(self._now()),
            "nonceStr": secrets.token_hex(16),
            "package": f"prepay_id={prepay_id}",
            "signType": self._account.sign_type,
        }
        return {**payload, "paySign": self._sign(payload)}

    def _for_app(self, prepay_id: str) -> dict[str, str]:
        payload = {
            "appid": self._account.app_id,
            "partnerid": self._account.merchant_id,
            "prepayid": prepay_id,
            "package": "Sign=WXPay",
            "noncestr": secrets.token_hex(16),
            "timestamp": _seconds(self._now()),
        }
        return {**payload, "sign": self._sign(payload)}

    def _sign(self, payload: Mapping[str, str]) -> str:
        return codec.sign(payload, api_key=self._account.api_key, sign_type=self._account.sign_type)


def _seconds(moment: datetime.datetime) -> str:
    return str(int(moment.timestamp()))


def _scene(request: PaymentRequest) -> str:
    """Where an H5 payment takes place: this site, as the notify address names it (the same in each repeat)."""
    site = urlsplit(request.notify_url)
    scene = {"h5_info": {"type": "Wap", "wap_url": f"{site.scheme}://{site.netloc}", "wap_name": site.hostname}}
    return json.dumps(scene, ensure_ascii=False, separators=(",", ":"))


@contextlib.contextmanager
def _unknown_unless_understood() -> Iterator[None]:
    """What cannot be verified or read is an unknown outcome, neither a yes nor a no."""
    try:
        yield
    except (codec.NotSigned, markup.Malformed) as error:
        raise GatewayUnavailable(str(error)) from error
