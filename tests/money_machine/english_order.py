"""What the model of the English app knows of an order."""

import dataclasses
import datetime

from payments.models import Order


@dataclasses.dataclass(kw_only=True, eq=False)
class Recharge:
    order: Order
    total_fen: int
    expires_at: datetime.datetime
    status: str = "unpaid"


@dataclasses.dataclass(kw_only=True, eq=False)
class Purchase:
    """`basket`, and what became of it."""

    order: Order
    basket: tuple  # what a repeated call repeats
    total_fen: int
    expires_at: datetime.datetime
    recharge: Recharge | None
    status: str = "unpaid"
    paid_at: datetime.datetime | None = None
    delivery: str = "waiting"
    attempts: int = 0
    due_at: datetime.datetime | None = None
    granted_at: datetime.datetime | None = None
    returning: str = "none"
    asks: int = 0
    refunded_fen: int = 0

    @property
    def is_paid(self):
        return self.status in {"pay_finished", "partly_refund"}

    @property
    def is_kept(self):
        """Whether the customer has its goods."""
        return self.delivery == "delivered" and self.returning != "returned"

    @property
    def wire_status(self):
        if not self.is_paid:
            return {"unpaid": 0, "closed": 1, "total_refund": 7}[self.status]
        of_return = {"asked": 5, "approved": 5, "failed": 6}.get(self.returning)
        return of_return or {"waiting": 2, "failed": 3, "delivered": 4}[self.delivery]
