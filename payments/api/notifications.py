"""Where gateways tell us what happened. The body is read raw, before any parser; its signature authenticates it."""

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.clients import networks
from payments.gateways.models import GatewayKind
from payments.inbox import operations as inbox
from payments.inbox.models import BODY_BYTES_MAX
from payments.transactions import DATABASE_TROUBLE, DatabaseBusy

log = structlog.get_logger(__name__)


@csrf_exempt
@require_POST
def alipay(request: HttpRequest) -> HttpResponse:
    """Take a notification of Alipay: document 003, `POST /rest/pub/ali/pay_notify`."""
    return _receive(request, kind=GatewayKind.ALIPAY)


@csrf_exempt
@require_POST
def wechat(request: HttpRequest) -> HttpResponse:
    """
    Take a notification of WeChat Pay: document 003, `POST /rest/pub/wx/pay_notify`.

    Both protocols come to this address: v2 as XML, APIv3 as JSON with its signature in the headers.
    """
    is_v3 = "Wechatpay-Signature" in request.headers or request.content_type == "application/json"
    return _receive(request, kind=GatewayKind.WECHAT_V3 if is_v3 else GatewayKind.WECHAT_V2)


def _receive(request: HttpRequest, *, kind: str) -> HttpResponse:
    try:
        answer = inbox.receive(
            kind=kind,
            headers=dict(request.headers),
            body=_beginning(request),
            remote_address=str(networks.caller(request.META).address or "") or None,
            at=timezone.now(),
        )
    except DATABASE_TROUBLE as error:
        # No gateway takes this for a yes: it sends the same again.
        return HttpResponse(b"failure", status=DatabaseBusy(error).status, content_type="text/plain")
    return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


def _beginning(request: HttpRequest) -> bytes:
    """
    Return the body, or as much of it as is kept.

    Django sees nothing of one that comes in chunks, and a gateway cannot be asked to send it in one piece. The server
    says whether it knows where such a body ends.
    """
    in_chunks = "Transfer-Encoding" in request.headers and request.META.get("wsgi.input_terminated")
    stream = request.META["wsgi.input"] if in_chunks else request
    try:
        body: bytes = stream.read(BODY_BYTES_MAX + 1)
    except Exception as error:  # noqa: BLE001  chunks that are none, each server has errors of its own for them
        log.warning("notification_unreadable", error=type(error).__name__)
        return b""
    return body
