"""Reading customers, what they have, and how it came about."""

import dataclasses

from django.db.models import Case, F, Func, Q, QuerySet, Sum, TextChoices, Value, When
from django.utils.translation import gettext_lazy as _

from payments.customers.models import Customer
from payments.errors import NotFound, OnetillError
from payments.ledger import accounts
from payments.ledger.accounts import Kind
from payments.ledger.models import Transfer, XactIdField


class Direction(TextChoices):
    """Which way value went, as the customer sees it."""

    IN = "in", _("in")
    OUT = "out", _("out")


class CustomerUnknown(NotFound):
    code = "customer_unknown"
    message = _("There is no such customer of yours. Check the user_id, or register the customer first.")


class CustomerFrozen(OnetillError):
    """Nothing new is sold to whom staff have frozen."""

    code = "customer_frozen"
    message = _("This customer's account is frozen. Ask the shop.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CustomerView:
    """A customer with what they have, in fen."""

    customer_id: int
    user_id: str
    ee_no: str
    phone: str
    real_name: str
    is_frozen: bool
    points_fen: int
    balance_fen: int


class SnapshotXmin(Func):
    """The oldest transaction still open: whatever was written by an earlier one is there for everybody, for good."""

    template = "pg_snapshot_xmin(pg_current_snapshot())"
    output_field = XactIdField()


def by_user_id(*, client_id: int, user_id: str) -> CustomerView:
    """
    Return a client's customer.

    :raises CustomerUnknown: if the client has none of that user id
    """
    fields = [field.name for field in dataclasses.fields(CustomerView)]
    row = (
        Customer.objects.filter(client_id=client_id, user_id=user_id)
        .annotate(
            customer_id=F("pk"),
            points_fen=Sum("accounts__balance_fen", filter=Q(accounts__kind=Kind.POINTS), default=0),
            balance_fen=Sum("accounts__balance_fen", filter=Q(accounts__kind=Kind.BALANCE), default=0),
        )
        .values(*fields)
        .first()
    )
    if row is None:
        raise CustomerUnknown(field="user_id")
    return CustomerView(**row)


def statement(*, client_id: int, user_id: str) -> QuerySet[Transfer]:
    """
    Return the transfers of a customer's accounts, each with `account_kind` and `direction` ("in", "out"), to be read
    in order of (xact_id, id).

    Transactions commit in another order than they number their rows. Here are only rows older than every transaction
    still open, and in that order what appears later is also newer: no page ever misses a row.

    :raises CustomerUnknown: if the client has none of that user id
    """
    customer_id = Customer.objects.filter(client_id=client_id, user_id=user_id).values_list("pk", flat=True).first()
    if customer_id is None:
        raise CustomerUnknown(field="user_id")
    points, balance = (
        accounts.customer_code(kind=kind, customer_id=customer_id) for kind in (Kind.POINTS, Kind.BALANCE)
    )
    return (
        Transfer.objects.filter(Q(debit__in=[points, balance]) | Q(credit__in=[points, balance]))
        .filter(xact_id__lt=SnapshotXmin())
        .annotate(
            account_kind=_either(Q(debit=points) | Q(credit=points), Kind.POINTS, Kind.BALANCE),
            direction=_either(Q(credit__in=[points, balance]), Direction.IN, Direction.OUT),
        )
        .select_related("order")
    )


def _either(condition: Q, yes: str, no: str) -> Case:
    return Case(When(condition, then=Value(yes)), default=Value(no))
