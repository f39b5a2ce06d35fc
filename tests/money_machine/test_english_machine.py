"""
Any sequence of buying, recharging, paying, delivering, returning, refunding and waiting keeps the English app straight.

After each step every invariant holds, and status, goods, membership, balance, sales and suspense are what a model of
plain sums says. Alipay is played by the machine: what it tells is settled here.
"""

import datetime
import os
from collections import Counter

import pytest
from dateutil.relativedelta import relativedelta
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import invariant, precondition, rule

from english_app import deliveries, memberships, returns
from english_app.deliveries import AGAIN_AFTER, NotToDeliver
from english_app.memberships import MembershipTooLong
from english_app.models import Grant
from english_app.returns import NotPaid, NotToDecide, ReturnAskedTooOften, Returned, ReturnTooLate
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Order, Refund
from payments.refunds import operations as refunds
from payments.refunds.operations import OrderNotRefundable
from payments.refunds.planner import RefundExceeds
from tests.english_app import world
from tests.english_app.dealings import (
    FIRST,
    SECOND,
    approve,
    ask,
    broken,
    ends_on,
    refund,
    refuse,
    status_of,
)
from tests.money_machine.english_shop import EnglishShop
from tests.world import balance_fen

# What continuous integration has time for; more before a release.
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "5"))
WINDOW = datetime.timedelta(days=7)


class EnglishMachine(EnglishShop):
    # --- delivering ---------------------------------------------------------------------------------------------------

    @rule(works=st.booleans())
    def deliver(self, works):
        with pytest.MonkeyPatch.context() as patch:
            if not works:
                patch.setattr(memberships, "recount", fail)
            due = sorted(
                (made for made in self.orders if made.due_at and made.due_at <= self.at),
                key=lambda made: (made.due_at, made.order.pk),
            )
            assert deliveries.deliver_due(at=self.at) == len(due)
        for made in due:
            made.due_at = None
            if works:
                made.delivery, made.granted_at = "delivered", self.at
                continue
            made.attempts += 1
            if made.attempts <= len(AGAIN_AFTER):
                made.due_at = self.at + AGAIN_AFTER[made.attempts - 1]
            else:
                made.delivery = "failed"

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def deliver_again(self, data):
        made = self.pick(data, [made for made in self.orders if made.delivery == "failed"])
        may = made.is_paid and made.delivery == "failed" and made.returning in {"none", "failed"}
        try:
            deliveries.deliver_again(order_id=made.order.pk, actor=FIRST, at=self.at)
        except NotToDeliver:
            assert not may
        else:
            assert may
            made.delivery, made.attempts, made.due_at = "waiting", 0, self.at

    # --- returning ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def ask(self, data):
        made = self.pick(data)
        is_asked = made.is_paid and made.returning in {"asked", "approved"}
        try:
            ask(world.document(made.order), at=self.at)
        except NotPaid:
            assert made.status in {"unpaid", "closed"}
        except Returned:
            assert made.status == "total_refund"
        except ReturnTooLate:
            assert self.at > made.paid_at + WINDOW
        except ReturnAskedTooOften:
            assert made.asks == 2
        else:
            if not is_asked:
                assert made.is_paid
                made.returning, made.asks, made.due_at = "asked", made.asks + 1, None
                assert made.asks <= 2

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), agrees=st.booleans())
    def decide(self, data, agrees):
        made = self.pick(data, [made for made in self.orders if made.returning == "asked"])
        document = world.document(made.order)
        try:
            (approve if agrees else refuse)(document, at=self.at)
        except NotToDecide:
            assert made.returning != "asked"
            return
        assert made.returning == "asked"
        if not agrees:
            self._fail_return(made)
            return
        made.returning = "approved"
        if not self._waiting(made):  # a refund that waits for a second person comes first
            self._settle(made)

    def _fail_return(self, made):
        made.returning = "failed"
        if made.delivery == "waiting":
            made.due_at = self.at

    def _waiting(self, made):
        """The refund of an order that waits for a second person, if there is one."""
        return Refund.objects.filter(order=made.order, status="to_approve").first()

    def _settle(self, made):
        """What an approved return asks for: all that is left, at once or above the limit by a second person."""
        if Refund.objects.filter(order=made.order, status="succeeded", refund_no__contains="return").exists():
            self._give_back(made, made.total_fen - made.refunded_fen)

    def _give_back(self, made, fen):
        made.refunded_fen += fen
        self.balance_fen += fen
        made.status = "partly_refund"
        if made.refunded_fen == made.total_fen:
            made.status, made.returning, made.due_at = "total_refund", "returned", None

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), part=st.integers(1, 6_000), all_of_it=st.booleans())
    def refund(self, data, part, all_of_it):
        """Staff do, past every return."""
        made = self.pick(data)
        waits = self._waiting(made)
        left_fen = made.total_fen - made.refunded_fen - (waits.goods_fen if waits else 0)
        fen = left_fen if all_of_it and left_fen else part
        try:
            asked = refund(world.document(made.order), fen, at=self.at)
        except OrderNotRefundable:
            assert not made.is_paid
            return
        except RefundExceeds:
            assert fen > left_fen
            return
        assert made.is_paid
        assert fen <= left_fen
        if asked.status == "succeeded":
            self._give_back(made, fen)

    @precondition(lambda self: Refund.objects.filter(status="to_approve").exists())
    @rule(data=st.data(), agrees=st.booleans())
    def a_second_person_decides(self, data, agrees):
        waits = Refund.objects.get(pk=data.draw(st.sampled_from(waiting_refunds())))
        (made,) = (made for made in self.orders if made.order.pk == waits.order_id)
        step = refunds.approve if agrees else refunds.refuse
        step(refund_id=waits.pk, actor=SECOND, reason="r", at=self.at)
        if agrees:
            self._give_back(made, waits.goods_fen)

    @rule()
    def settle_returns(self):
        """A refund that was refused ends its return; one that a return waited for lets it ask for its own."""
        before = {made.order.pk: world.document(made.order) for made in self.orders if made.returning == "approved"}
        for _again in range(2):
            returns.settle_due(at=self.at)
        for made in self.orders:
            if made.order.pk not in before:
                continue
            its_own = before[made.order.pk].refund
            if its_own is not None and its_own.status == "refused":
                self._fail_return(made)
            elif its_own is None and not self._others_waited(made):
                self._settle(made)

    def _others_waited(self, made):
        return (
            Refund.objects.filter(order=made.order, status="to_approve").exclude(refund_no__contains="return").exists()
        )

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def no_invariant_is_broken(self):
        if self.is_open:
            assert broken() == {}

    @invariant()
    def everything_is_what_the_model_says(self):
        if not self.is_open:
            return
        documents = [world.document(made.order) for made in self.orders]
        assert [
            (found.order.status, found.delivery, found.returning, found.return_asks, found.deliver_due_at)
            for found in documents
        ] == [(made.status, made.delivery, made.returning, made.asks, made.due_at) for made in self.orders]
        assert [status_of(made.order) for made in self.orders] == [made.wire_status for made in self.orders]
        recharges = [made.recharge for made in self.orders if made.recharge]
        assert [Order.objects.get(pk=recharge.order.pk).status for recharge in recharges] == [
            recharge.status for recharge in recharges
        ]
        assert balance_fen(self.learner) == self.balance_fen
        sold_fen = sum(made.total_fen - made.refunded_fen for made in self.orders if made.paid_at)
        assert (held_fen(code="sales"), held_fen(code="suspense")) == (sold_fen, self.suspense_fen)
        assert held_fen(code="escrow") == 0
        assert (self._has(), ends_on(self.learner)) == (self._kept(), self._ends_on())

    def _has(self):
        grants = Grant.objects.filter(customer=self.learner, taken_back_at=None).select_related("line")
        return sum((Counter({grant.line.title: grant.line.num}) for grant in grants), Counter())

    def _kept(self):
        baskets = [made.basket[0] for made in self.orders if made.is_kept]
        return sum((Counter({self.goods[name].title: num for name, num in basket}) for basket in baskets), Counter())

    def _ends_on(self):
        """Month for month from where it ends, or from the day of the delivery where it has ended."""
        ends = first = None
        months = 0
        kept = [made for made in self.orders if made.is_kept and "month" in dict(made.basket[0])]
        for made in sorted(kept, key=lambda made: made.granted_at):
            day = timezone.localdate(made.granted_at)
            if ends is None or ends < day:
                first, months = day, 0
            months += dict(made.basket[0])["month"]
            ends = first + relativedelta(months=months)
        return ends


def fail(**_of):
    raise MembershipTooLong(year=2200)


def waiting_refunds():
    return list(Refund.objects.filter(status="to_approve").order_by("pk").values_list("pk", flat=True))


class TestEnglishMachine(TestCase, EnglishMachine.TestCase):
    settings = settings(
        max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
