"""
The demonstration's world: the documents' own example customers, clients whose keys everybody knows, merchants at the
simulator. Its secrets are public, so it exists in the sandbox alone.
"""

import contextlib
import dataclasses
import secrets
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from config import demo_english, demo_merchants, demo_partner, roles
from payments.clients import operations as clients
from payments.closing import operations as closing
from payments.closing.operations import OrderNotClosable
from payments.customers import grants
from payments.customers import operations as customers
from payments.customers.grants import GrantCommand
from payments.customers.profiles import Profile
from payments.customers.queries import Direction
from payments.ledger import queries as ledger
from payments.ledger.accounts import Kind
from payments.models import ApiClient, Customer, Order, StaffMember
from payments.money import yuan_text
from payments.orders.states import AWAITING_CASH

ACTOR = "demo"
STAFF = {"username": "demo", "password": "onetill-demo"}
# One for each role, of the same password: what one asks for, another approves.
COLLEAGUES = {f"demo-{role}": role for role in roles.ROLES}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoClient:
    name: str
    token: str
    secret: str
    families: tuple[str, ...]
    permissions: tuple[str, ...]
    default_of: str = ""  # the family whose calls without a token are its
    app_id: int | None = None  # so are those that name it
    unsigned_from: tuple[str, ...] = ()

    @property
    def reads_only_the_body(self) -> bool:
        """The apps of families that know no token are old (CONTRACTS)."""
        return bool(self.default_of or self.app_id)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoCustomer:
    """A customer of a demo client with what the document says they have, in fen."""

    client: str = "checkout"  # a key of CLIENTS
    user_id: str
    ee_no: str = ""
    real_name: str
    phone: str = ""
    points_fen: int = 0
    balance_fen: int = 0

    def wants_fen(self) -> dict[Kind, int]:
        return {Kind.POINTS: self.points_fen, Kind.BALANCE: self.balance_fen}


CLIENTS = {
    "checkout": DemoClient(
        name="demo-mall",
        token="demo-mall-token",  # noqa: S106  public on purpose
        secret="demo-mall-secret",  # noqa: S106
        families=("checkout", "payments"),
        permissions=("checkout.point_pay", "payments.grant_value"),
    ),
    "partner_orders": DemoClient(
        name="demo-partner",
        token="demo-partner-token",  # noqa: S106
        secret="demo-partner-secret",  # noqa: S106
        families=("partner_orders", "payments"),
        permissions=("partner_orders.ship_partnerorder", "payments.grant_value"),
        default_of="partner_orders",
    ),
    "payments": DemoClient(
        name="demo-shop",
        token="demo-shop-token",  # noqa: S106
        secret="demo-shop-secret",  # noqa: S106
        families=("payments",),
        permissions=("payments.grant_value",),
    ),
    "english_app": DemoClient(
        name="demo-english",
        token="demo-english-token",  # noqa: S106
        secret="demo-english-secret",  # noqa: S106
        families=("english_app", "payments"),
        permissions=("payments.grant_value",),
        app_id=demo_english.APP_ID,
        unsigned_from=tuple(demo_english.CALLERS),
    ),
}
CUSTOMERS = {
    "checkout": DemoCustomer(user_id="442090", ee_no="a09999", real_name="张三", points_fen=13_128),
    "checkout_rich": DemoCustomer(user_id="442091", ee_no="a10000", real_name="李四", points_fen=500_000),
    "checkout_poor": DemoCustomer(user_id="442092", ee_no="a10001", real_name="王五"),
    "partner_orders": DemoCustomer(
        client="partner_orders",
        user_id="41840909af844632885424fbc20cae79",
        real_name="张学友",
        phone="18569557087",
        balance_fen=300_000,
    ),
    "payments": DemoCustomer(client="payments", user_id="1001", real_name="赵六"),
    "english_app": DemoCustomer(client="english_app", user_id="1", real_name="小明", balance_fen=10_000),
}


def require_sandbox() -> None:
    if not settings.SANDBOX:
        raise ImproperlyConfigured("The demonstration's secrets are public: it runs with ONETILL_ENV=sandbox only")


def build() -> None:
    """Make whatever of the demo world is missing. What exists keeps its money; the simulator's address is renewed."""
    require_sandbox()
    _make_staff()
    for demo in CLIENTS.values():
        _make_client(demo)
    for key, customer in CUSTOMERS.items():
        _make_customer(key, customer)
    demo_partner.build(client=_client("partner_orders"), customer=row("partner_orders"))
    demo_english.build(client=_client("english_app"))
    if settings.SIMULATOR_URL:
        v2_clients = [_client("payments"), _client("english_app")]
        demo_merchants.connect(simulator_url=settings.SIMULATOR_URL, v2_clients=v2_clients)


def reset() -> None:
    """
    Close the demo customers' open orders and give them what their documents say they have.

    By transfers: the ledger keeps its history. An order that is being paid at this moment stays.
    """
    require_sandbox()
    rows = {key: row(key) for key in CUSTOMERS}
    for order in Order.objects.filter(customer__in=rows.values(), status__in=AWAITING_CASH):
        with contextlib.suppress(OrderNotClosable):
            closing.close(order_id=order.pk, actor=ACTOR, at=timezone.now(), reason="reset")
    for key, customer in CUSTOMERS.items():
        has_fen = ledger.customer_balances_fen(customer_id=rows[key].pk)
        for kind, wants_fen in customer.wants_fen().items():
            _grant(customer, kind=kind, by_fen=wants_fen - has_fen[kind], grant_no=f"reset-{secrets.token_hex(8)}")
    demo_partner.reset(customer=rows["partner_orders"])


def top_up(*, key: str, points_fen: int = 0, balance_fen: int = 0) -> None:
    """Give one demo customer points and balance."""
    require_sandbox()
    for kind, by_fen in ((Kind.POINTS, points_fen), (Kind.BALANCE, balance_fen)):
        _grant(CUSTOMERS[key], kind=kind, by_fen=by_fen, grant_no=f"topup-{secrets.token_hex(8)}")


def describe() -> dict[str, Any]:
    """Return the demo world as `demo_data --json` prints it."""
    return {
        "base_url": settings.BASE_URL,
        "staff": STAFF,
        "clients": {
            key: {"token": demo.token, "secret": demo.secret, "sign_type": "MD5"}
            | ({"app_id": demo.app_id} if demo.app_id else {})
            for key, demo in CLIENTS.items()
        },
        "customers": {key: _described(key) for key in CUSTOMERS},
        **demo_partner.describe(customer=row("partner_orders")),
        **demo_english.describe(client=_client("english_app")),
        "simulator": {"url": settings.SIMULATOR_URL, "control": f"{settings.SIMULATOR_URL}/control/"},
    }


def _described(key: str) -> dict[str, Any]:
    """Return a customer as the documents of their family name them, with what they begin with."""
    customer = CUSTOMERS[key]
    match customer.client:
        case "checkout":
            points_yuan = yuan_text(customer.points_fen)
            return {"user_id": int(customer.user_id), "ee_no": customer.ee_no, "points_yuan": points_yuan}
        case "partner_orders":
            return {
                "user_id": customer.user_id,
                "balance_yuan": yuan_text(customer.balance_fen),
                "address_id": demo_partner.address_id(customer=row(key)),
            }
        case "english_app":
            return {"user_id": int(customer.user_id), "balance_yuan": yuan_text(customer.balance_fen)}
    return {"user_id": customer.user_id}


def row(key: str) -> Customer:
    """Return the stored customer of a key of `CUSTOMERS`."""
    customer = CUSTOMERS[key]
    return Customer.objects.get(client__name=CLIENTS[customer.client].name, user_id=customer.user_id)


def _client(key: str) -> ApiClient:
    return ApiClient.objects.get(name=CLIENTS[key].name)


def first_order_curl() -> str:
    """Return a shell snippet that makes a first order: it computes timestamp, sign and a fresh number."""
    demo, customer = CLIENTS["checkout"], CUSTOMERS["checkout"]
    signed = (
        f"ee_no={customer.ee_no}&out_trade_no=$no&redirect_url=https://www.example.com&shipping_fee=5.00"
        f"&timestamp=$now&total_amount=2144&user_id={customer.user_id}&key={demo.secret}"
    )
    body = (
        f'{{"out_trade_no":"\'$no\'","client_pay_id":"","total_amount":2144,"shipping_fee":5.00,'
        f'"redirect_url":"https://www.example.com","user_id":"{customer.user_id}","ee_no":"{customer.ee_no}",'
        f'"timestamp":"\'$now\'","sign":"\'$sign\'"}}'
    )
    return "\n".join(
        [
            'now=$(date +%s); no="T$now"',
            f'sign=$(printf %s "{signed}" |',
            "  python3 -c 'import hashlib, sys; print(hashlib.md5(sys.stdin.buffer.read()).hexdigest())')",
            f"curl -s {settings.BASE_URL}/api/checkout/pay/ \\",
            f"  -H 'Authorization: Token {demo.token}' -H 'Content-Type: application/json' \\",
            f"  -d '{body}'",
        ]
    )


def _make_staff() -> None:
    users = get_user_model().objects
    if not users.filter(username=STAFF["username"]).exists():
        users.create_superuser(**STAFF)
    for username, role in COLLEAGUES.items():
        if not users.filter(username=username).exists():
            user = users.create_user(username=username, password=STAFF["password"], is_staff=True)
            user.groups.add(Group.objects.get(name=role))
            StaffMember.objects.create(user=user, sees_every_client=True)


def _make_client(demo: DemoClient) -> None:
    if not ApiClient.objects.filter(name=demo.name).exists():
        clients.create_client(
            name=demo.name, families=demo.families, permissions=demo.permissions, actor=ACTOR, sign_type="MD5"
        )
    client = ApiClient.objects.get(name=demo.name)
    client.set_token(demo.token)
    client.set_secret(demo.secret)
    client.redirect_hosts = ["www.example.com", urlsplit(settings.BASE_URL).hostname or "localhost"]
    client.default_of, client.app_id, client.unsigned_from = demo.default_of, demo.app_id, list(demo.unsigned_from)
    client.always_http_200 = demo.reads_only_the_body
    client.save(
        update_fields=[
            "token_sha256", "sealed_secret", "redirect_hosts", "default_of", "app_id", "unsigned_from",
            "always_http_200",
        ]
    )  # fmt: skip


def _make_customer(key: str, customer: DemoCustomer) -> None:
    client = _client(customer.client)
    profile = Profile(
        user_id=customer.user_id, ee_no=customer.ee_no, phone=customer.phone, real_name=customer.real_name
    )  # fmt: skip
    customers.save_customer(client_id=client.pk, profile=profile, actor=ACTOR)
    for kind, wants_fen in customer.wants_fen().items():
        _grant(customer, kind=kind, by_fen=wants_fen, grant_no=f"opening-{key}-{kind}")


def _grant(customer: DemoCustomer, *, kind: Kind, by_fen: int, grant_no: str) -> None:
    if not by_fen:
        return
    client = _client(customer.client)
    direction = Direction.IN if by_fen > 0 else Direction.OUT
    command = GrantCommand(grant_no=grant_no, kind=kind, direction=direction, amount_fen=abs(by_fen), reason=ACTOR)
    grants.grant(client_id=client.pk, user_id=customer.user_id, command=command, actor=ACTOR)
