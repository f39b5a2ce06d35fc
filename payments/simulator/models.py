"""The simulator's book. Money is integer fen. It knows no gateway: each gateway has a room of its own."""

from django.db import models
from django.db.models import Q


class Merchant(models.Model):
    """Who may ask this gateway for money, and with whose signature."""

    gateway = models.CharField(max_length=16)
    app_id = models.CharField(max_length=32)
    seller_id = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    app_public_key = models.TextField()
    app_certificate = models.TextField(blank=True)  # only in certificate mode
    app_cert_sn = models.CharField(max_length=64, blank=True)
    particulars = models.JSONField(default=dict)  # what this gateway alone knows of it: WeChat's keys and secrets

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "app_id"], name="merchant_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.app_id})"


def wire(merchant: Merchant, api: str) -> str:
    """The name of a protocol: `alipay`, `wechat/v2`, `wechat/v3`."""
    return f"{merchant.gateway}/{api}" if api else merchant.gateway


class GatewayKey(models.Model):
    """A key under which the gateway signs for one merchant. The newest one is in use."""

    merchant = models.ForeignKey(Merchant, models.CASCADE, related_name="keys")
    private_key = models.TextField()
    public_key = models.TextField()
    certificate = models.TextField()
    cert_sn = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.cert_sn


class Trade(models.Model):
    class Status(models.TextChoices):
        OFFERED = "offered"  # a code or a link exists; nobody has opened it: the gateway knows no trade yet
        WAITING = "waiting"  # the payer has it before them
        PAID = "paid"
        FINISHED = "finished"  # paid, and past refunding
        CLOSED = "closed"  # unpaid and over, or refunded in full

    merchant = models.ForeignKey(Merchant, models.CASCADE, related_name="trades")
    api = models.CharField(max_length=8, blank=True)  # where a gateway has several: WeChat's v2, v3
    product = models.CharField(max_length=16)
    out_trade_no = models.CharField(max_length=64)
    trade_no = models.CharField(max_length=64, blank=True)  # the gateway's own number, from when it gives one
    token = models.CharField(max_length=32, unique=True)  # in the address that the payer opens
    prepay_id = models.CharField(max_length=64, blank=True, db_index=True)  # WeChat's handle for apps and pages
    amount_fen = models.BigIntegerField()
    subject = models.CharField(max_length=256)
    body = models.CharField(max_length=400, blank=True)
    notify_url = models.CharField(max_length=256, blank=True)
    return_url = models.CharField(max_length=1024, blank=True)
    quit_url = models.CharField(max_length=1024, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.OFFERED)
    offered_at = models.DateTimeField()
    offer_until = models.DateTimeField()  # how long the code or link can be opened
    lifetime_s = models.PositiveIntegerField()  # how long an opened trade may stay unpaid
    pay_until = models.DateTimeField(null=True)  # the merchant's own absolute limit
    expires_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    particulars = models.JSONField(default=dict)  # what the merchant said beside, as its gateway's room keeps it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "out_trade_no"], name="trade_once"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="trade_amount_positive"),
        ]

    def __str__(self) -> str:
        return self.out_trade_no

    @property
    def exists(self) -> bool:
        """Whether the gateway would admit to knowing this trade."""
        return self.started_at is not None

    @property
    def wire(self) -> str:
        return wire(self.merchant, self.api)

    @property
    def refunded_fen(self) -> int:
        return sum(refund.amount_fen for refund in self.refunds.all() if refund.moved)

    @property
    def left_fen(self) -> int:
        """What of a payment can still go back: neither gone nor on its way."""
        if not self.paid_at or self.status == self.Status.FINISHED:
            return 0
        return self.amount_fen - sum(refund.amount_fen for refund in self.refunds.all() if not refund.trouble)

    @property
    def payable(self) -> bool:
        return self.status in {self.Status.OFFERED, self.Status.WAITING}


class Refund(models.Model):
    class Trouble(models.TextChoices):
        ABNORMAL = "abnormal"  # the payer's account takes no money
        CLOSED = "closed"  # given up by the gateway

    trade = models.ForeignKey(Trade, models.CASCADE, related_name="refunds")
    api = models.CharField(max_length=8, blank=True)  # of the call that asked for it
    request_no = models.CharField(max_length=64)
    refund_no = models.CharField(max_length=64, blank=True)  # the gateway's own number, where it gives one
    notify_url = models.CharField(max_length=256, blank=True)  # its own, where it has one
    amount_fen = models.BigIntegerField()
    reason = models.CharField(max_length=256, blank=True)
    moved = models.BooleanField()  # False: taken note of, and no money moved (yet)
    trouble = models.CharField(max_length=16, choices=Trouble, blank=True)  # why it will not move
    made_at = models.DateTimeField()
    settles_at = models.DateTimeField(null=True)  # when the money moves (or moved), where that takes time
    by_console = models.BooleanField(default=False)  # made by the merchant's staff, not by a call

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trade", "request_no"], name="refund_once"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="refund_amount_positive"),
        ]

    def __str__(self) -> str:
        return self.request_no

    @property
    def open(self) -> bool:
        """Whether its money is on the way."""
        return not self.moved and not self.trouble


class Notification(models.Model):
    """One thing the gateway has to tell. Every attempt to tell it is a NotificationDelivery."""

    class State(models.TextChoices):
        DUE = "due"
        HELD = "held"  # waits until a later notification of the same trade has gone out
        SENDING = "sending"
        DONE = "done"
        GIVEN_UP = "given_up"
        LOST = "lost"  # never sent, unless by hand

    trade = models.ForeignKey(Trade, models.CASCADE, related_name="notifications")
    notify_id = models.CharField(max_length=64, unique=True)
    refund = models.ForeignKey(Refund, models.CASCADE, null=True, related_name="notifications")
    event = models.CharField(max_length=16)
    facts = models.JSONField()  # what it tells, as the gateway spells it, as things stood then
    url = models.CharField(max_length=256)
    state = models.CharField(max_length=16, choices=State)
    due_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # the position in the gateway's retry schedule
    copies = models.PositiveIntegerField(default=0)  # how often to send it once more although it was taken
    disturbed_by = models.CharField(max_length=32, blank=True)
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["state", "due_at"], name="notification_due")]

    def __str__(self) -> str:
        return self.notify_id

    @property
    def api(self) -> str:
        return self.refund.api if self.refund else self.trade.api

    @property
    def wire(self) -> str:
        return wire(self.trade.merchant, self.api)


class NotificationDelivery(models.Model):
    notification = models.ForeignKey(Notification, models.CASCADE, related_name="deliveries")
    sent_at = models.DateTimeField()
    elapsed_ms = models.PositiveIntegerField()
    disturbed_by = models.CharField(max_length=32, blank=True)
    sent = models.TextField()
    status = models.PositiveIntegerField(null=True)  # of the answer; null where there was none
    answer = models.TextField(blank=True)
    accepted = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.notification_id} at {self.sent_at}"


class BillDifference(models.Model):
    """Something that a merchant's bill of a day is to show otherwise than the book has it."""

    class Kind(models.TextChoices):
        MISSING = "missing"  # a row is left out
        EXTRA = "extra"  # a payment that nobody made
        AMOUNT = "amount"
        STATUS = "status"  # a payment is shown as taken back
        FEE = "fee"

    merchant = models.ForeignKey(Merchant, models.CASCADE, related_name="bill_differences")
    day = models.DateField()
    kind = models.CharField(max_length=16, choices=Kind)
    number = models.CharField(max_length=64)
    refund_number = models.CharField(max_length=64, blank=True)
    was = models.JSONField(default=dict)
    shows = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "day", "number", "refund_number"], name="bill_row_differs_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number} {self.refund_number}".rstrip()


class BillFile(models.Model):
    """A bill that was made, for whoever has the address to fetch it."""

    merchant = models.ForeignKey(Merchant, models.CASCADE)
    token = models.CharField(max_length=64, unique=True)
    content = models.BinaryField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.token


class LoginCode(models.Model):
    """What a payer's browser brings a merchant from WeChat's log-in, to be exchanged for the payer's openid once."""

    code = models.CharField(max_length=64, unique=True)
    merchant = models.ForeignKey(Merchant, models.CASCADE)
    openid = models.CharField(max_length=64)
    scope = models.CharField(max_length=32)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code


class Fault(models.Model):
    """A mishap that waits for its occasion."""

    kind = models.CharField(max_length=32)
    match = models.CharField(max_length=64, blank=True)  # an out_trade_no; empty: any
    times_left = models.PositiveIntegerField()
    delay_ms = models.PositiveIntegerField(null=True)
    armed_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(times_left__gt=0), name="fault_not_spent")]

    def __str__(self) -> str:
        return f"{self.kind} × {self.times_left}"
