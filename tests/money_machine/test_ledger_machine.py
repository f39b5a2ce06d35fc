"""
Any sequence of grants, payments and repeats leaves what a model in plain Python says, and no invariant broken.

The model knows nothing of accounts or transfers: it adds up what each customer has, and remembers what was said.
"""

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from payments import invariants
from payments.customers import grants, imports
from payments.customers.grants import Direction, GrantCommand, GrantNumberReused
from payments.customers.operations import save_customer
from payments.customers.profiles import Profile
from payments.ledger.accounts import ISSUED, Kind
from payments.ledger.operations import NotEnough
from payments.ledger.queries import balance_fen
from payments.models import Account, AuditRow, Transfer
from tests.world import make_client

USERS = st.sampled_from(["ada", "bai", "cui"])
NUMBERS = st.sampled_from([f"g{n}" for n in range(12)])
AMOUNTS = st.one_of(st.integers(1, 500), st.just(1), st.integers(1, 10**14))


class LedgerMachine(RuleBasedStateMachine):
    granted = Bundle("granted")

    @initialize()
    def open_books(self):
        # Every example starts from an empty database; like the test's own transaction, this one is nobody's business.
        self.example = transaction.atomic()
        self.example._from_testcase = True
        self.example.__enter__()
        self.client = make_client()
        self.has = {}  # (user, kind) → fen
        self.said = {}  # grant number → (user, kind, direction, fen)
        self.opened = {}  # (user, kind) → fen

    def register(self, user):
        if (user, Kind.POINTS) not in self.has:
            self.has |= {(user, kind): 0 for kind in Kind}
            save_customer(client_id=self.client.pk, profile=Profile(user_id=user), actor="machine")

    @rule(
        target=granted, number=NUMBERS, user=USERS, kind=st.sampled_from(Kind), direction=st.sampled_from(Direction),
        amount_fen=AMOUNTS,
    )  # fmt: skip
    def grant(self, number, user, kind, direction, amount_fen):
        self.register(user)
        wanted = (user, kind, direction, amount_fen)
        outcome = self.send(number, wanted)
        if number in self.said:
            assert outcome == ("ok" if self.said[number] == wanted else "reused")
            return multiple()
        if direction == Direction.OUT and amount_fen > self.has[user, kind]:
            assert outcome == "not enough"
            return multiple()
        assert outcome == "ok"
        self.said[number] = wanted
        self.has[user, kind] += amount_fen if direction == Direction.IN else -amount_fen
        return number

    @rule(number=granted)
    def grant_again(self, number):
        before = Transfer.objects.count(), AuditRow.objects.count()
        assert self.send(number, self.said[number]) == "ok"
        assert (Transfer.objects.count(), AuditRow.objects.count()) == before

    @rule(number=granted, amount_fen=AMOUNTS)
    def grant_again_with_another_amount(self, number, amount_fen):
        user, kind, direction, said_fen = self.said[number]
        if amount_fen != said_fen:
            assert self.send(number, (user, kind, direction, amount_fen)) == "reused"

    def send(self, number, wanted):
        user, kind, direction, amount_fen = wanted
        command = GrantCommand(grant_no=number, kind=kind, direction=direction, amount_fen=amount_fen)
        try:
            holds_fen = grants.grant(client_id=self.client.pk, user_id=user, command=command, actor="machine")
        except NotEnough:
            return "not enough"
        except GrantNumberReused:
            return "reused"
        assert holds_fen == dict(
            Account.objects.filter(customer__user_id=user).order_by("pk").values_list("kind", "balance_fen")
        )
        return "ok"

    @rule(lines=st.dictionaries(USERS, st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1))
    def import_a_sheet(self, lines):
        text = ["user_id,ee_no,phone,real_name,points,balance\n"]
        text += [f"{user},,,,{points}.00,{balance}.00\n" for user, (points, balance) in lines.items()]

        report = imports.import_customers(client_id=self.client.pk, text=text, actor="machine")

        refused = 0
        for user, yuan in lines.items():
            opening = {(user, kind): 100 * amount for kind, amount in zip(Kind, yuan, strict=True) if amount}
            if any(fen != self.opened.get(account, fen) for account, fen in opening.items()):
                refused += 1
                continue
            self.has |= {(user, kind): self.has.get((user, kind), 0) for kind in Kind}
            for account in opening.keys() - self.opened.keys():
                self.has[account] += opening[account]
            self.opened |= opening
        assert len(report.refused) == refused

    @invariant()
    def everybody_has_what_the_model_says(self):
        if not hasattr(self, "client"):
            return
        held = {
            (user, kind): fen
            for user, kind, fen in Account.objects.values_list("customer__user_id", "kind", "balance_fen")
        }
        assert held == self.has
        for kind in Kind:
            issued_fen = sum(fen for (_user, of), fen in self.has.items() if of == kind)
            assert balance_fen(code=ISSUED[kind]) == -issued_fen

    @invariant()
    def no_invariant_is_broken(self):
        if not hasattr(self, "client"):
            return
        with transaction.atomic():
            broken = {finding.name: finding.examples for finding in invariants.findings() if finding.breaches}
        assert broken == {}

    def teardown(self):
        if hasattr(self, "example"):
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)


class TestLedgerMachine(TestCase, LedgerMachine.TestCase):
    settings = settings(max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
