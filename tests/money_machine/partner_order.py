"""What the model of the partner programme knows of an order."""

import dataclasses
import datetime

from partner_orders.models import PartnerOrder, PayType


@dataclasses.dataclass(kw_only=True, eq=False)
class Bought:
    """`asked`, and what became of it."""

    document: PartnerOrder
    asked: tuple  # what a repeated call repeats
    key: str
    made_at: datetime.datetime
    expires_at: datetime.datetime
    total_fen: int
    status: str
    delivery: str = "waiting"
    refunded_fen: int = 0
    taken_fen: int = 0

    @property
    def customer(self):
        return self.asked[0]

    @property
    def pack(self):
        return self.asked[1]

    @property
    def coupon(self):
        return self.asked[2]

    @property
    def by_balance(self):
        return self.asked[3] == PayType.BALANCE

    @property
    def holds(self):
        return self.status not in {"closed", "total_refund"}

    @property
    def is_paid(self):
        return self.status in {"pay_finished", "partly_refund"}
