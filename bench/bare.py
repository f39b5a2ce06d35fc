"""
What we are measured against: Django without middleware, and the SQL written out by hand, with none of the checking.

`pay/` does the inserts of a paid order in five statements; `drf/` is an empty APIView; `detail/` reads one order. The
same gunicorn and the same PostgreSQL as ours, and connections are kept. `plain/` sends statements as Django does unless
it is told otherwise, `prepared/` prepares them as our settings do.
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from environs import Env

DATABASE = {**Env().dj_db_url("DATABASE_URL"), "CONN_MAX_AGE": None}
settings.configure(
    SECRET_KEY="the-benchmark-has-no-secrets",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[f"{__name__}.with_length"],
    USE_TZ=True,
    DATABASES={
        "plain": {**DATABASE, "OPTIONS": {"application_name": "bare"}},
        "prepared": {
            **DATABASE,
            "OPTIONS": {"application_name": "bare", "server_side_binding": True, "prepare_threshold": 3},
        },
        "default": {},
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
)

from django.core.wsgi import get_wsgi_application  # noqa: E402  the settings come first
from django.db import connections, transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

ORDER = """
INSERT INTO payments_order (number, family, client_id, customer_id, client_order_no, client_pay_no, fingerprint, title,
    total_fen, shipping_fen, points_fen, cash_fen, status, money_flag, created_at, expires_at, finished_at)
VALUES (%s, 'checkout', %s, %s, %s, '', '', %s, %s, %s, %s, 0, 'pay_finished', '', now(), now() + '30 min', now())
RETURNING id
"""
CHARGE = """
INSERT INTO payments_charge (order_id, attempt, number, tender, mode, amount_fen, paid_fen, status, gateway_trade_no,
    payload, last_answer, created_at, paid_at, queries)
VALUES (%s, 1, %s, 'points', '', %s, %s, 'succeeded', '', '{}', '', now(), now(), 0)
"""
TRANSFERS = """
INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id)
VALUES (%s, 'escrow', %s, 'payment', %s, %s), ('escrow', 'sales', %s, 'sale', %s, %s),
    ('escrow', 'shipping', %s, 'shipping', %s, %s)
"""
PAPERS = """
WITH moved AS (
    INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
    VALUES (%s, 1, 'unpaid', 'all_settled', 'pay_finished', '', 'client:bench', now())
), audited AS (
    INSERT INTO payments_auditrow (at, actor, action, subject, request_id, detail)
    VALUES (now(), 'client:bench', 'order.place', %s, '', '{}')
)
INSERT INTO checkout_checkoutorder (order_id, redirect_url, login_generation) VALUES (%s, %s, 0)
"""
DEDUCT = "UPDATE payments_account SET balance_fen = balance_fen - %s WHERE customer_id = %s AND kind = 'points'"
DETAIL = """
SELECT number, status, client_order_no, client_pay_no, total_fen, shipping_fen, points_fen, cash_fen
FROM payments_order WHERE client_id = %s AND client_order_no = %s AND client_order_no <> ''
"""


def with_length(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The only middleware: an answer without a length would go out in chunks, which takes gunicorn longer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Length"] = len(response.content)
        return response

    return middleware


def pay(request: HttpRequest, using: str) -> JsonResponse:
    given = json.loads(request.body)
    customer, total, shipping = given["customer_id"], given["total_fen"], given["shipping_fen"]
    number = secrets.token_hex(8)  # long enough that none is drawn twice
    reference = f"{number}_1"
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute(
            ORDER, [number, given["client_id"], customer, given["out_trade_no"], "Order", total, shipping, total]
        )
        order = cursor.fetchone()[0]
        cursor.execute(CHARGE, [order, reference, total, total])
        cursor.execute(
            TRANSFERS,
            [
                f"points:{customer}",
                total,
                reference,
                order,
                total - shipping,
                reference,
                order,
                shipping,
                reference,
                order,
            ],
        )
        cursor.execute(PAPERS, [order, f"order:{number}", order, given["redirect_url"]])
        cursor.execute(DEDUCT, [total, customer])
    return JsonResponse({"bb_trade_no": number, "status": "pay_finished", "total_amount": total / 100})


def detail(request: HttpRequest, using: str) -> JsonResponse:
    given = json.loads(request.body)
    with connections[using].cursor() as cursor:
        cursor.execute(DETAIL, [given["client_id"], given["out_trade_no"]])
        names = [column.name for column in cursor.description]
        return JsonResponse(dict(zip(names, cursor.fetchone(), strict=True)))


class Empty(APIView):
    def post(self, request: Request) -> Response:
        return Response({"given": len(request.data)})


urlpatterns: list[Any] = [
    path("<str:using>/pay/", pay),
    path("<str:using>/detail/", detail),
    path("drf/", Empty.as_view()),
]
application = get_wsgi_application()
