"""
A history of millions of orders, for measuring and for looking at: what a merchant has after a year or two.

It is made by few statements over many rows, a chunk of orders in each transaction. What is drawn follows from the place
of an order in the history (`config.volume_draws`), so that a second start goes on where the first was cut: how far it
is stands in the audit log. The books are right when the last transaction is done (`config.volume_rows`).
"""

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils import timezone

from config import demo
from config.volume_draws import CHARGES, ORDERS, PLAN, REFUNDS
from config.volume_rows import CUSTOMERS, FILLS, SETTLED
from english_app.models import Agent, Good, GoodKind
from partner_orders.models import GiftPack
from payments import audit
from payments.clients import operations as clients
from payments.figures import operations as figures
from payments.gateways.models import GatewayKind
from payments.models import ApiClient, AuditRow, Customer, GatewayAccount, WebhookEndpoint
from payments.transactions import transaction, transaction_required

ACTOR = "volume"
SUBJECT = "demo_volume"
BEGUN, FILLED, SETTLED_ALL = "volume.begin", "volume.fill", "volume.settle"
CHUNK = 200_000
ROUND = 100  # the mix of families and tenders repeats after so many orders
ORDERS_EACH = 20  # of a customer
# family: what hundredths of the orders, and so of the customers, are its
SHARES = {"checkout": 60, "payments": 15, "partner_orders": 10, "english_app": 15}
PACKS = {"入门礼包": 9_900, "标准礼包": 30_000, "尊享礼包": 99_900}
GOODS = {"单词卡": 1_990, "听力光盘": 2_900, "同步练习册": 990, "分级读物": 4_500}


class AnotherHistory(Exception):
    """The database holds a history of another length already."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far it is, in orders."""

    done: int
    orders: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Plan:
    orders: int
    began: datetime.datetime
    until: datetime.datetime

    @property
    def customers(self) -> int:
        return -(-self.orders // (ROUND * ORDERS_EACH)) * ROUND

    @property
    def step(self) -> datetime.timedelta:
        return (self.until - self.began) / self.orders


def fill(*, orders: int, days: int, at: datetime.datetime, chunk: int = CHUNK) -> Iterator[Progress]:
    """
    Make a history of `orders` orders in the `days` before `at`, or go on with it; tell how far it is after each chunk.

    :raises ImproperlyConfigured: outside the sandbox
    :raises AnotherHistory: if the database holds one of another length
    """
    demo.require_sandbox()
    if orders % ROUND or chunk % ROUND or orders <= 0:
        raise ImproperlyConfigured(f"The number of orders is a multiple of {ROUND}: the mix repeats after so many.")
    plan = _begun(orders=orders, days=days, at=at)
    done = _done()
    yield Progress(done=done, orders=orders)
    while done < orders:
        last = min(done + chunk, orders) - 1
        _fill(plan, first=done, last=last)
        done = last + 1
        yield Progress(done=done, orders=orders)
    if not AuditRow.objects.filter(subject=SUBJECT, action=SETTLED_ALL).exists():
        _settle(plan)
        _vacuum()
        for day in figures.due_days(at=at):
            figures.compute(day=day, at=at)


def _begun(*, orders: int, days: int, at: datetime.datetime) -> _Plan:
    """Return the plan of the history that was begun, or begin one: its clients, customers, goods."""
    begun = AuditRow.objects.filter(subject=SUBJECT, action=BEGUN).first()
    if begun is not None:
        told = begun.detail
        if told["orders"] != orders:
            raise AnotherHistory(f"This database has a history of {told['orders']:,} orders. Take another one.")
        began, until = (datetime.datetime.fromisoformat(told[name]) for name in ("began", "until"))
        return _Plan(orders=orders, began=began, until=until)
    until = at.replace(microsecond=0) - datetime.timedelta(minutes=15)
    plan = _Plan(orders=orders, began=until - datetime.timedelta(days=days), until=until)
    for family in SHARES:
        if not ApiClient.objects.filter(name=_name(family)).exists():
            clients.create_client(name=_name(family), families=[family], actor=ACTOR)
    with transaction():
        _make_receivers()
        _make_catalogue()
        _plan_out(plan, first=0, last=0)
        _run(CUSTOMERS)
        _note(BEGUN, orders=orders, began=plan.began.isoformat(), until=plan.until.isoformat())
    return plan


def _done() -> int:
    latest = AuditRow.objects.filter(subject=SUBJECT, action=FILLED).order_by("-id").first()
    return int(latest.detail["done"]) if latest else 0


def _fill(plan: _Plan, *, first: int, last: int) -> None:
    with transaction():
        _plan_out(plan, first=first, last=last)
        for script in (ORDERS, CHARGES, REFUNDS, *FILLS):
            _run(script)
        _note(FILLED, done=last + 1)


def _settle(plan: _Plan) -> None:
    """Grant every customer what they have spent since, and put in stock what was sold."""
    with transaction():
        _plan_out(plan, first=0, last=0)
        for statement in SETTLED:
            _run(statement)
        _note(SETTLED_ALL, orders=plan.orders)


def _vacuum() -> None:
    """The planner must know how much there is, and index-only scans what all can see."""
    _run("VACUUM ANALYZE")


@transaction_required
def _plan_out(plan: _Plan, *, first: int, last: int) -> None:
    """
    Tell PostgreSQL in temporary tables what is to be made.

    References and triggers are left aside until the transaction ends, for who may: what is made here fits, and to look
    each row up takes longer than to write it. Constraints and unique indexes stay in force.
    """
    settings = ["synchronous_commit = off", "work_mem = '256MB'"]
    if _is_superuser():
        settings.append("session_replication_role = replica")
    for setting in settings:
        _run(f"SET LOCAL {setting}")
    for statement in PLAN.split(";\n"):
        _run(statement)
    accounts = {account.kind: account.pk for account in GatewayAccount.objects.filter(name=ACTOR)}
    _run(
        "INSERT INTO volume_plan VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            plan.orders, plan.began, plan.until, plan.step, first, last, plan.customers, _first_customer(),
            accounts[GatewayKind.ALIPAY], accounts[GatewayKind.WECHAT_V3], _of_volume(GiftPack), _of_volume(Good),
        ],
    )  # fmt: skip
    slot = 0
    for family, share in SHARES.items():
        client = ApiClient.objects.get(name=_name(family))
        live, parked = WebhookEndpoint.objects.filter(client=client).order_by("pk").values_list("pk", flat=True)
        _run(
            "INSERT INTO volume_client VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [family, client.pk, client.actor, slot, share, live, parked],
        )
        slot += share


def _first_customer() -> int:
    """Return the id of the first customer; the others follow it without a gap."""
    first = Customer.objects.filter(client__name=_name(next(iter(SHARES)))).order_by("pk").first()
    return first.pk if first else 0


def _is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def _of_volume(model: Any) -> list[int]:
    return list(model.objects.filter(client__name__startswith=f"{ACTOR}-").order_by("pk").values_list("pk", flat=True))


def _name(family: str) -> str:
    return f"{ACTOR}-{family.replace('_', '-')}"


@transaction_required
def _make_receivers() -> None:
    """Make, for each client, an endpoint that is not told now and one that is parked."""
    for client in ApiClient.objects.filter(name__in=[_name(family) for family in SHARES]):
        WebhookEndpoint.objects.create(client=client, url="https://shop.example/hooks", is_active=False)
        WebhookEndpoint.objects.create(
            client=client, url="https://old.shop.example/hooks", parked_at=timezone.now(), parked_reason=ACTOR
        )


@transaction_required
def _make_catalogue() -> None:
    """Make what is bought, and the merchants that took the money: nothing live is paid to them."""
    partner, english = (ApiClient.objects.get(name=_name(family)) for family in ("partner_orders", "english_app"))
    for title, price_fen in PACKS.items():
        GiftPack.objects.create(client=partner, title=title, price_fen=price_fen)
    for title, price_fen in GOODS.items():
        Good.objects.create(client=english, title=title, kind=GoodKind.ITEM, price_fen=price_fen)
    Agent.objects.create(client=english, title="校园渠道")
    for kind in (GatewayKind.ALIPAY, GatewayKind.WECHAT_V3):
        GatewayAccount.objects.create(kind=kind, name=ACTOR, app_id=ACTOR, merchant_id=ACTOR, is_active=False)


@transaction_required
def _note(action: str, **detail: Any) -> None:
    audit.record(actor=ACTOR, action=action, subject=SUBJECT, **detail)


def _run(script: str, parameters: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(script, parameters)
