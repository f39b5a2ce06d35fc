"""Who pays in the benchmark, and their calls, signed beforehand."""

import itertools
import json
import time
from collections.abc import Iterator

from django.db import connection
from django.utils import timezone

from checkout import operations
from checkout.operations import PayCommand
from payments.clients import operations as clients
from payments.clients import signing
from payments.clients.operations import Keys
from payments.ledger.accounts import Kind
from payments.models import Account, ApiClient, Customer

CUSTOMERS = 1_000
POINTS_FEN = 10**12
TOTAL_FEN, TOTAL_YUAN = 2_144, "21.44"
SHIPPING_FEN, SHIPPING_YUAN = 500, "5.00"
REDIRECT_URL = "https://www.example.com"
EE_NO = "a09999"

PAST_ORDERS = 20_000

_numbers = itertools.count(1)

# An empty table is planned for as an empty table: every look-up by key would stay a scan of a table that grows.
_PAST = """
WITH placed AS (
    INSERT INTO payments_order (number, family, client_id, customer_id, client_order_no, client_pay_no, fingerprint,
        title, total_fen, shipping_fen, points_fen, cash_fen, status, money_flag, created_at, expires_at, finished_at)
    SELECT lpad(n::text, 16, '0'), 'checkout', %(client)s, %(customer)s + n %% %(customers)s, 'P' || n, '', '', 'Order',
        2144, 500, 2144, 0, 'pay_finished', '', now(), now(), now()
    FROM generate_series(1, %(orders)s) AS n
    RETURNING id, number, customer_id
), moved AS (
    INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
    SELECT id, 1, 'unpaid', 'all_settled', 'pay_finished', '', 'bench', now() FROM placed
), charged AS (
    INSERT INTO payments_charge (order_id, attempt, number, tender, mode, amount_fen, paid_fen, status,
        gateway_trade_no, payload, last_answer, created_at, paid_at, queries)
    SELECT id, 1, number || '_1', 'points', '', 2144, 2144, 'succeeded', '', '{}', '', now(), now(), 0 FROM placed
), posted AS (
    INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id)
    SELECT 'points:' || customer_id, 'escrow', 2144, 'payment', number || '_1', id FROM placed
    UNION ALL SELECT 'escrow', 'sales', 1644, 'sale', number || '_1', id FROM placed
    UNION ALL SELECT 'escrow', 'shipping', 500, 'shipping', number || '_1', id FROM placed
)
INSERT INTO checkout_checkoutorder (order_id, redirect_url, login_generation) SELECT id, '', 0 FROM placed
"""


def make() -> Keys:
    """Make a client with a thousand customers, all rich."""
    keys = clients.create_client(
        name="bench", families=["checkout"], permissions=["checkout.point_pay"],
        redirect_hosts=["www.example.com"], actor="bench",
    )  # fmt: skip
    customers = Customer.objects.bulk_create(
        Customer(client=keys.client, user_id=str(n), ee_no=EE_NO) for n in range(CUSTOMERS)
    )
    Account.objects.bulk_create(
        Account(customer=customer, kind=kind, balance_fen=POINTS_FEN) for customer in customers for kind in Kind
    )
    past = {
        "client": keys.client.pk, "customer": customers[0].pk, "customers": CUSTOMERS, "orders": PAST_ORDERS,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_PAST, past)
    return keys


def fresh_number() -> str:
    return f"B{next(_numbers):09d}"


def user_ids(*, is_hot: bool, first: int = 0) -> Iterator[str]:
    """Everybody in turn, or one customer only."""
    return itertools.repeat("7") if is_hot else (str(n % CUSTOMERS) for n in itertools.count(first * 61))


def pay_body(keys: Keys, *, out_trade_no: str, user_id: str) -> str:
    params = {
        "out_trade_no": out_trade_no,
        "client_pay_id": "",
        "total_amount": TOTAL_YUAN,
        "shipping_fee": SHIPPING_YUAN,
        "redirect_url": REDIRECT_URL,
        "user_id": user_id,
        "ee_no": EE_NO,
        "timestamp": str(int(time.time())),
    }
    return _signed(keys, params)


def detail_body(keys: Keys, *, out_trade_no: str) -> str:
    return _signed(keys, {"out_trade_no": out_trade_no, "timestamp": str(int(time.time()))})


def _signed(keys: Keys, params: dict[str, str]) -> str:
    sign = signing.sign(params=params, secret=keys.secret, sign_type=keys.client.sign_type)
    return json.dumps({**params, "sign": sign})


def place(client: ApiClient, *, out_trade_no: str, user_id: str) -> None:
    """Pay without HTTP."""
    command = PayCommand(
        out_trade_no=out_trade_no, client_pay_id="", total_fen=TOTAL_FEN, shipping_fen=SHIPPING_FEN, user_id=user_id,
        ee_no=EE_NO, redirect_url=REDIRECT_URL,
    )  # fmt: skip
    operations.pay(client=client, command=command, at=timezone.now())
