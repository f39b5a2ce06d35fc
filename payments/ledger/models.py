from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.ledger import accounts
from payments.money import FenField

CODE_LENGTH_MAX = 32

# The constraint that decides whether an account can be spent from.
OVERDRAWN = "account_not_overdrawn"


class TransferKind(models.TextChoices):
    """What a transfer is for. With the reference it is unique: posting twice posts once."""

    GRANT = "grant", _("grant")
    PAYMENT = "payment", _("payment")  # tender → escrow
    RELEASE = "release", _("release")  # escrow → tender, when the order closes
    SALE = "sale", _("sale")  # escrow → sales
    SHIPPING = "shipping", _("shipping")  # escrow → shipping
    RECHARGE = "recharge", _("recharge")  # escrow → the customer's balance
    SURPLUS = "surplus", _("surplus")  # clearing → suspense
    REFUND = "refund", _("refund")  # sales, suspense or what was taken back → tender
    SHIPPING_REFUND = "shipping_refund", _("refund of shipping")  # shipping → tender
    TAKE_BACK = "take_back", _("taken back")  # the balance that a recharge filled → refunding
    GIVE_BACK = "give_back", _("not taken back after all")  # refunding → balance
    EXCESS = "excess", _("refunded beyond what was paid")  # suspense → clearing
    SCORE = "score", _("score")  # points issued → points, for an order that was paid
    SCORE_BACK = "score_back", _("score taken back")  # points → points issued


# What is posted when an order is paid. An index for staff's lists leaves it out: it costs no payment.
OF_EVERY_ORDER = (TransferKind.PAYMENT, TransferKind.SALE, TransferKind.SHIPPING)


class XactIdField(models.Field):  # type: ignore[type-arg]  # only the stubs take arguments
    """PostgreSQL's xid8: the transaction that wrote the row."""

    def db_type(self, connection: object) -> str:
        return "xid8"


class CurrentXactId(models.Func):
    """PostgreSQL's id of the open transaction."""

    function = "pg_current_xact_id"
    arity = 0
    output_field = XactIdField()


class Account(models.Model):
    """A customer's account. The balance is a cache of its transfers that the database keeps from going below zero."""

    customer = models.ForeignKey(
        "payments.Customer", models.PROTECT, related_name="accounts", verbose_name=_("customer")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=accounts.Kind)
    balance_fen = FenField(_("balance"))

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(name="account_once_per_customer", fields=["customer", "kind"]),
            models.CheckConstraint(name="account_kind_known", condition=Q(kind__in=accounts.Kind.values)),
            models.CheckConstraint(name=OVERDRAWN, condition=Q(balance_fen__gte=0)),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def code(self) -> str:
        return accounts.customer_code(kind=self.kind, customer_id=self.customer_id)


class Transfer(models.Model):
    """
    Money from one account to another, balanced by construction.

    Never updated, never deleted: the database refuses it; a correction is another transfer. There is no foreign key
    to accounts: with one, concurrent payers of one account slow down tenfold (reference: performance, section 4).
    """

    debit = models.CharField(_("debit"), max_length=CODE_LENGTH_MAX, db_collation="C")
    credit = models.CharField(_("credit"), max_length=CODE_LENGTH_MAX, db_collation="C")
    amount_fen = models.BigIntegerField(_("amount"))
    kind = models.CharField(_("kind"), max_length=16, choices=TransferKind)
    reference = models.CharField(_("reference"), max_length=64, db_collation="C")
    order = models.ForeignKey(
        "payments.Order", models.PROTECT, null=True, related_name="transfers", verbose_name=_("order")
    )
    at = models.DateTimeField(_("at"), db_default=Now())
    # Ids commit out of order. A checkpoint or a statement covers only rows below pg_snapshot_xmin().
    xact_id = XactIdField(db_default=CurrentXactId(), editable=False)

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        constraints = [
            models.UniqueConstraint(name="transfer_once", fields=["reference", "kind"]),
            models.CheckConstraint(name="transfer_amount_positive", condition=Q(amount_fen__gt=0)),
            models.CheckConstraint(name="transfer_between_two", condition=~Q(debit=F("credit"))),
            models.CheckConstraint(name="transfer_kind_known", condition=Q(kind__in=TransferKind.values)),
        ]
        indexes = [
            models.Index(name="transfer_by_debit", fields=["debit", "id"]),
            models.Index(name="transfer_by_credit", fields=["credit", "id"]),
            models.Index(name="transfer_by_kind", fields=["kind", "-id"], condition=~Q(kind__in=OF_EVERY_ORDER)),
            # Rows stand in order of time, so a range of pages is all that there is to keep: it costs a posting nothing.
            BrinIndex(name="transfer_by_time", fields=["at"], autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.kind}"
