"""The people and systems that the tests are about: a client, its customers, a gateway."""

import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Permission
from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import PayCommand
from payments.charges import from_balance
from payments.charges import operations as charges
from payments.charges.placement import NO_DOCUMENT, Placement, place
from payments.customers.grants import Direction, GrantCommand
from payments.gateways.base import Mode
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.models import TransferKind
from payments.ledger.operations import Posting
from payments.manual import confirmations, evidence, values
from payments.manual.confirmations import ConfirmCommand
from payments.models import (
    Account,
    ApiClient,
    BillLine,
    Customer,
    Difference,
    Export,
    GatewayAccount,
    GatewayBill,
    Order,
    StaffMember,
)
from payments.orders import numbers
from payments.orders import operations as orders
from payments.transactions import transaction

NOW = datetime.datetime(2018, 6, 15, 4, 0, tzinfo=datetime.UTC)  # noon in Shanghai, on document 000's day
SECRET = "shop-secret"
TOKEN = "shop-token"


class OneRound(PBKDF2PasswordHasher):
    iterations = 1


def make_client(*, name="shop", token=None, secret=SECRET, permissions=("point_pay",), **fields):
    user = get_user_model().objects.create_user(username=f"client-{name}")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = ApiClient(
        name=name,
        user=user,
        **{"families": ["checkout", "payments"], "redirect_hosts": ["www.example.com"], **fields},
    )
    client.set_token(token or (TOKEN if name == "shop" else f"{name}-token"))
    client.set_secret(secret)
    client.save()
    return client


def make_staff(name, *permissions, clients=None, boss=False):
    """Somebody of the staff with these permissions, who sees the rows of `clients`, or of every client."""
    user = get_user_model().objects.create_user(
        username=name, password="a long enough password", is_staff=True, is_superuser=boss
    )  # fmt: skip
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    member = StaffMember.objects.create(user=user, sees_every_client=clients is None)
    member.clients.set(clients or [])
    return user


def make_customer(*, client, user_id="442090", ee_no="a09999", points_fen=0, balance_fen=0, **fields):
    customer = Customer.objects.create(client=client, user_id=user_id, ee_no=ee_no, **fields)
    for kind, amount_fen in ((accounts.Kind.POINTS, points_fen), (accounts.Kind.BALANCE, balance_fen)):
        Account.objects.create(customer=customer, kind=kind)
        grant(customer=customer, kind=kind, amount_fen=amount_fen, reference=f"opening:{customer.pk}:{kind}")
    return customer


def grant(*, customer, kind=accounts.Kind.POINTS, amount_fen, reference):
    with transaction():
        ledger.post(
            Posting(
                debit=accounts.ISSUED[kind],
                credit=accounts.customer_code(kind=kind, customer_id=customer.pk),
                amount_fen=amount_fen,
                kind=TransferKind.GRANT,
                reference=reference,
            )
        )


def make_memory_account(*, client=None, app_id="memory-app", **fields):
    return GatewayAccount.objects.create(kind="memory", name="memory", client=client, app_id=app_id, **fields)


def points_fen(customer):
    return Account.objects.get(customer=customer, kind=accounts.Kind.POINTS).balance_fen


def balance_fen(customer):
    return Account.objects.get(customer=customer, kind=accounts.Kind.BALANCE).balance_fen


def by_balance(*, customer, number="B1", total_fen=10_000, shipping_fen=500, **changes):
    """An order that its customer's balance pays, as a family would have it placed."""
    fields = {
        "number": numbers.dated(at=NOW, digits=8), "family": "payments", "client_id": customer.client_id,
        "customer_id": customer.pk, "client_order_no": number, "client_pay_no": "", "fingerprint": "0" * 64,
        "title": "title", "total_fen": total_fen, "shipping_fen": shipping_fen, "points_fen": 0, "points_first": True,
        "balance_fen": total_fen, "expires_at": NOW, "at": NOW, "actor": "client:shop", "document": NO_DOCUMENT,
    }  # fmt: skip
    return Placement(**fields | changes)


def place_by_balance(**fields):
    return Order.objects.get(pk=place(by_balance(**fields)))


def owe_from_balance(*, at=None, **fields):
    """Place an order that its customer is to pay from the balance within half an hour, by a call of its own."""
    at = at or timezone.now()
    later = {"pays_later": True, "at": at, "expires_at": at + datetime.timedelta(minutes=30)}
    return place_by_balance(**later | fields)


def pay_from_balance(order, *, at=None):
    """Pay it as a family does: under the order's lock, in a transaction of its own."""
    with transaction():
        return from_balance.pay_from_balance(
            order=orders.lock(order_id=order.pk), actor="client:shop", at=at or timezone.now()
        )


def place_order(*, client, number="T1", total_fen=100, shipping_fen=0):
    """Place an order of the client's customer 442090, as `pay` does, and return it."""
    command = PayCommand(
        out_trade_no=number, client_pay_id="", total_fen=total_fen, shipping_fen=shipping_fen, user_id="442090",
        ee_no="a09999", redirect_url="",
    )  # fmt: skip
    placed = checkout.pay(client=client, command=command, at=timezone.now())
    return Order.objects.get(pk=placed.order_id)


def make_export(*, user):
    """Somebody has asked for the list of orders as a file."""
    return Export.objects.create(
        requested_by=user, model="payments.order", format="csv", language="en", reason="month's end"
    )


def make_difference(*, charge):
    """Make a bill with a line of the charge that tells another amount, and return the difference."""
    day = datetime.date(2018, 6, 15)
    bill = GatewayBill.objects.create(account=charge.gateway_account, day=day)
    line = BillLine.objects.create(
        bill=bill, kind="payment", number=charge.number, amount_fen=1, at=timezone.now(), charge=charge
    )
    return Difference.objects.create(
        account=bill.account, day=day, kind="amount", entry="payment", number=charge.number, charge=charge, line=line,
        ours_fen=charge.amount_fen, theirs_fen=1, remedy="check_by_hand", status="open", found_at=timezone.now(),
    )  # fmt: skip


PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def confirm_by_hand(charge, *, number="h-1", actor="user:lin", trade_no="bank-1", **fields):
    """Somebody of the staff confirms a payment with a picture of it."""
    command = ConfirmCommand(
        number=number, trade_no=trade_no, reason=fields.pop("reason", "seen in the bank"),
        evidence=evidence.read(name="bank.png", content=PNG), paid_at=fields.pop("paid_at", timezone.now()), **fields,
    )  # fmt: skip
    return confirmations.confirm(charge_id=charge.pk, command=command, actor=actor, at=timezone.now())


def give_by_hand(customer, *, number="v-1", actor="user:lin", amount_fen=500, **fields):
    """Somebody of the staff gives a customer points, or what else is said."""
    command = GrantCommand(
        grant_no=number, amount_fen=amount_fen,
        **{"kind": accounts.Kind.POINTS, "direction": Direction.IN, "reason": "kept waiting", **fields},
    )  # fmt: skip
    return values.request(customer_id=customer.pk, command=command, actor=actor, at=timezone.now())


def make_requests(*, client):
    """Something of what staff do by hand: a payment that its gateway does not know, points for its customer."""
    order = place_order(client=client, number="by-hand")
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    confirm_by_hand(charge, is_acknowledged=True)
    give_by_hand(order.customer)
