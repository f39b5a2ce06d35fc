"""What a bill, one of its entries and a difference can be, in words."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import BillEntryKind


class BillStatus(models.TextChoices):
    DUE = "due", _("to be fetched")
    NOT_READY = "not_ready", _("not made yet by the gateway")
    UNUSABLE = "unusable", _("came and cannot be believed")
    FETCHED = "fetched", _("fetched")
    MATCHED = "matched", _("compared")


class Entry(models.TextChoices):
    PAYMENT = BillEntryKind.PAYMENT.value, _("payment")
    REFUND = BillEntryKind.REFUND.value, _("refund")


class DifferenceKind(models.TextChoices):
    """One entry makes one difference at most: the gravest, in this order."""

    OURS_MISSING = "ours_missing", _("the gateway has it, we do not")
    THEIRS_MISSING = "theirs_missing", _("we have it, the gateway does not")
    STATUS = "status", _("the gateway has booked it, we have not")
    AMOUNT = "amount", _("another amount")
    FEE = "fee", _("another fee than agreed")


class DifferenceStatus(models.TextChoices):
    POOLED = "pooled", _("may be in another day's bill")
    OPEN = "open", _("open")
    SETTLED = "settled", _("settled")


class Remedy(models.TextChoices):
    ASK_GATEWAY = "ask_gateway", _("the gateway is asked about the charge")
    WAIT_NEXT_DAY = "wait_next_day", _("wait for the next bills")
    BOOK_CONSOLE_REFUND = "book_console_refund", _("book the refund made at the gateway's console")
    REFUND_SURPLUS = "refund_surplus", _("give the surplus back")
    CORRECT_FEE = "correct_fee", _("correct the agreed fee, or claim it from the gateway")
    CHECK_BY_HAND = "check_by_hand", _("check by hand")


UNSETTLED = (DifferenceStatus.POOLED, DifferenceStatus.OPEN)
