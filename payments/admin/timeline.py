"""
Everything that touched an order, as one story: what moved it, what was paid and went back, who said and did what.

A fixed number of queries, each by index, however long the story is; of each kind the newest ENTRIES_MAX rows are read.
"""

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from payments.admin import charges, inbox, refunds, timeline_words, webhooks
from payments.admin.labels import LEGS, ORDERS, Label
from payments.charges.models import CASH
from payments.charges.settlement import BY_HAND
from payments.models import (
    AuditRow,
    Charge,
    DeliveryAttempt,
    GatewayAccount,
    InboundNotification,
    Order,
    OrderTransition,
    OutboxEvent,
    Refund,
    RefundLeg,
    Transfer,
    WebhookDelivery,
)
from payments.money import yuan_text
from payments.redaction import redact_text, redacted

ENTRIES_MAX = 500
TOGETHER = datetime.timedelta(seconds=1)
DETAIL_LENGTH_MAX = 300

# What the story can be narrowed down to: kind, words, icon. Of one instant, what comes first stands first.
KINDS = {
    "moves": (_("Status"), "flag"),
    "payments": (_("Payments"), "payments"),
    "notifications": (_("Gateway notifications"), "inbox"),
    "transfers": (_("Transfers"), "swap_horiz"),
    "refunds": (_("Refunds"), "undo"),
    "webhooks": (_("Webhooks"), "webhook"),
    "deeds": (_("Who did what"), "person"),
}
RANKS = {kind: rank for rank, kind in enumerate(KINDS)}

Fact = tuple[Any, Any]  # its name, its value


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    at: datetime.datetime
    kind: str
    title: Any
    label: Label | None = None
    amount_fen: int | None = None
    facts: tuple[Fact, ...] = ()
    actor: str = ""
    request_id: str = ""
    link: str = ""
    raw: str = ""  # where its raw body is to be had

    @property
    def icon(self) -> str:
        return KINDS[self.kind][1]

    @property
    def amount(self) -> str:
        return "" if self.amount_fen is None else f"¥{yuan_text(self.amount_fen)}"


@dataclasses.dataclass(kw_only=True)
class Moment:
    """What happened at one instant, by one actor."""

    at: datetime.datetime
    actor: str = ""
    request_id: str = ""
    entries: list[Entry] = dataclasses.field(default_factory=list)

    def takes(self, entry: Entry) -> bool:
        return entry.at - self.at < TOGETHER and (not entry.actor or not self.actor or entry.actor == self.actor)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.actor = self.actor or entry.actor
        self.request_id = self.request_id or entry.request_id

    @property
    def who(self) -> str:
        return timeline_words.actor_words(self.actor) if self.actor else ""


class Reader:
    """For whom the story of an order is told: may they see persons, and which pages lie open to them."""

    def __init__(self, order: Order, *, sees_persons: bool, may_see: Callable[[type], bool]) -> None:
        self._order = order
        self._sees_persons = sees_persons
        self._may_see = may_see

    def details(self, detail: Any) -> Iterable[Fact]:
        told = redacted(detail, persons=self._sees_persons)
        for name, value in told.items() if isinstance(told, dict) else ():
            words = timeline_words.DETAILS.get(name, name)
            if isinstance(value, bool):
                yield words, _("yes") if value else ""
            elif name.endswith("_fen") and isinstance(value, int):
                yield words, f"¥{yuan_text(value)}"
            else:
                yield words, "" if value is None else str(value)

    def facts(self, *facts: Fact) -> tuple[Fact, ...]:
        """Return those that say something, without what this reader may not see."""
        return tuple((name, self._words(value)) for name, value in facts if value or value == 0)

    def _words(self, value: Any) -> Any:
        if isinstance(value, datetime.datetime):
            return value
        text = redact_text(str(value), persons=self._sees_persons)
        return text if len(text) <= DETAIL_LENGTH_MAX else f"{text[:DETAIL_LENGTH_MAX]}…"

    def page(self, model: str, pk: int, of: type) -> str:
        return reverse(f"admin:payments_{model}_change", args=[pk]) if self._may_see(of) else ""

    def raw(self, kind: str, pk: int, of: type) -> str:
        return reverse("admin:payments_order_raw", args=[self._order.pk, kind, pk]) if self._may_see(of) else ""


class Timeline:
    """The story of one order, for somebody who may see persons or not, and may see these models' own pages."""

    def __init__(self, order: Order, *, sees_persons: bool, may_see: Callable[[type], bool]) -> None:
        self.order = order
        self._reader = Reader(order, sees_persons=sees_persons, may_see=may_see)
        self.is_cut = False

    @cached_property
    def charges(self) -> list[Charge]:
        return self._newest(Charge.objects.filter(order=self.order).select_related("gateway_account"))

    @cached_property
    def refunds(self) -> list[Refund]:
        return self._newest(Refund.objects.filter(order=self.order))

    @cached_property
    def gateways(self) -> Mapping[int, GatewayAccount]:
        return {charge.gateway_account.pk: charge.gateway_account for charge in self.charges if charge.gateway_account}

    def days(self, *, kind: str, newest_first: bool) -> list[tuple[datetime.date, list[Moment]]]:
        """Return the story day by day, all of it or one kind."""
        entries = [entry for entry in self._entries() if kind in {"", entry.kind}]
        entries.sort(key=lambda entry: (entry.at, RANKS[entry.kind]))
        self.is_cut = self.is_cut or len(entries) > ENTRIES_MAX
        moments: list[Moment] = []
        for entry in entries[-ENTRIES_MAX:]:
            if not moments or not moments[-1].takes(entry):
                moments.append(Moment(at=entry.at))
            moments[-1].add(entry)
        days = groupby(reversed(moments) if newest_first else moments, key=lambda moment: localtime(moment.at).date())
        return [(day, list(of_day)) for day, of_day in days]

    def _newest(self, rows: QuerySet[Any]) -> list[Any]:
        newest = list(rows.order_by("-pk")[: ENTRIES_MAX + 1])
        self.is_cut = self.is_cut or len(newest) > ENTRIES_MAX
        return newest[:ENTRIES_MAX][::-1]

    def _entries(self) -> Iterable[Entry]:
        yield from self._moves()
        for charge in self.charges:
            yield from self._of_charge(charge)
        yield from self._notifications()
        yield from self._transfers()
        yield from self._refunds()
        yield from self._webhooks()
        yield from self._deeds()

    def _moves(self) -> Iterable[Entry]:
        yield Entry(
            at=self.order.created_at, kind="moves", title=_("Order made"), amount_fen=self.order.total_fen,
            facts=self._reader.facts((_("expires at"), localtime(self.order.expires_at))),
        )  # fmt: skip
        for move in self._newest(OrderTransition.objects.filter(order=self.order)):
            yield Entry(
                at=move.at, kind="moves", title=move.get_event_display(), actor=move.actor,
                label=Label(move.get_target_display(), ORDERS[move.target]),
                facts=self._reader.facts((_("reason"), move.reason)),
            )  # fmt: skip

    def _of_charge(self, charge: Charge) -> Iterable[Entry]:
        how = charge.get_mode_display() if charge.mode else ""
        shown: dict[str, Any] = {
            "kind": "payments",
            "link": self._reader.page("charge", charge.pk, Charge),
            "label": Label(charge.get_status_display(), charges.COLOURS[charge.status]),
        }
        yield Entry(
            at=charge.created_at, title=_("Payment started"), amount_fen=charge.amount_fen,
            raw=self._reader.raw("charge", charge.pk, Charge) if charge.payload else "",
            facts=self._reader.facts(
                (_("tender"), " · ".join(filter(None, (str(charge.get_tender_display()), str(how))))),
                (_("number"), charge.number),
                (_("gateway account"), charge.gateway_account or ""),
                (_("gateway's last word"), charge.last_answer),
                (_("queries"), charge.queries or ""),
                (_("next query at"), charge.next_query_at and localtime(charge.next_query_at)),
                (_("replaced by another attempt"), _("yes") if charge.is_replaced else ""),
            ),
            **shown,
        )  # fmt: skip
        if charge.paid_at is not None:
            is_told = charge.tender in CASH and charge.last_answer != BY_HAND
            yield Entry(
                at=max(charge.paid_at, charge.created_at), title=_("Paid"), amount_fen=charge.paid_fen,
                actor=f"gateway:{charge.tender}" if is_told else "",
                facts=self._reader.facts(
                    (_("number"), charge.number), (_("gateway's number"), charge.gateway_trade_no)
                ),
                **shown,
            )  # fmt: skip

    def _notifications(self) -> Iterable[Entry]:
        of_charges = {charge.pk: charge for charge in self.charges}
        told = InboundNotification.objects.filter(charge__in=of_charges).defer("body", "headers")
        for row in self._newest(told):
            yield Entry(
                at=row.received_at, kind="notifications", title=_("Gateway notification"),
                label=Label(row.get_verdict_display(), inbox.COLOURS[row.verdict]),
                link=self._reader.page("inboundnotification", row.pk, InboundNotification),
                raw=self._reader.raw("notification", row.pk, InboundNotification), actor=f"gateway:{row.gateway}",
                facts=self._reader.facts(
                    (_("number"), of_charges[row.charge_id].number),
                    (_("gateway's own id"), row.notification_id),
                    (_("detail"), row.detail),
                    (_("processed at"), row.processed_at and localtime(row.processed_at)),
                ),
            )  # fmt: skip

    def _transfers(self) -> Iterable[Entry]:
        for row in self._newest(Transfer.objects.filter(order=self.order)):
            debit, credit = (
                timeline_words.account_words(code, gateways=self.gateways) for code in (row.debit, row.credit)
            )
            yield Entry(
                at=row.at, kind="transfers", title=f"{debit} → {credit}", amount_fen=row.amount_fen,
                label=Label(row.get_kind_display(), ""), link=self._reader.page("transfer", row.pk, Transfer),
                facts=self._reader.facts((_("reference"), row.reference)),
            )  # fmt: skip

    def _refunds(self) -> Iterable[Entry]:
        for refund in self.refunds:
            shown: dict[str, Any] = {
                "kind": "refunds",
                "amount_fen": refund.amount_fen,
                "label": Label(refund.get_status_display(), refunds.COLOURS[refund.status]),
                "link": self._reader.page("refund", refund.pk, Refund),
            }
            facts = ((_("number"), refund.number), (_("client's refund number"), refund.refund_no))
            money = tuple(
                (words, f"¥{yuan_text(fen)}")
                for words, fen in ((_("goods"), refund.goods_fen), (_("shipping"), refund.shipping_fen))
                if fen
            )
            yield Entry(
                at=refund.requested_at, title=_("Refund asked for"), actor=refund.requested_by,
                facts=self._reader.facts(
                    *facts, *money, (_("why"), refund.get_kind_display()), (_("reason"), refund.reason)
                ),
                **shown,
            )  # fmt: skip
            if refund.decided_at is not None:
                yield Entry(
                    at=refund.decided_at, title=_("Refund decided"), actor=refund.decided_by,
                    facts=self._reader.facts(facts[0], (_("why"), refund.decision)), **shown,
                )  # fmt: skip
            if refund.settled_at is not None:
                yield Entry(
                    at=max(refund.settled_at, refund.requested_at),
                    title=_("Refund settled"),
                    facts=self._reader.facts(facts[0]),
                    **shown,
                )
        legs = RefundLeg.objects.filter(charge__in=[charge.pk for charge in self.charges])
        for leg in self._newest(legs.select_related("charge")):
            yield self._leg(leg)

    def _leg(self, leg: RefundLeg) -> Entry:
        return Entry(
            at=leg.created_at, kind="refunds", title=_("Goes back by %s") % leg.charge.get_tender_display(),
            amount_fen=leg.amount_fen, label=Label(leg.get_status_display(), LEGS[leg.status]),
            link=self._reader.page("refund", leg.refund_id, Refund),
            facts=self._reader.facts(
                (_("number"), leg.number),
                (_("number at the gateway's console"), leg.foreign_number),
                (_("gateway's last word"), leg.last_answer),
                (_("queries"), leg.queries or ""),
                (_("next query at"), leg.next_query_at and localtime(leg.next_query_at)),
                (_("settled at"), leg.settled_at and localtime(leg.settled_at)),
            ),
        )  # fmt: skip

    def _webhooks(self) -> Iterable[Entry]:
        for event in self._newest(OutboxEvent.objects.filter(order=self.order).defer("body")):
            yield Entry(
                at=event.created_at, kind="webhooks", title=event.get_kind_display(),
                link=self._reader.page("outboxevent", event.pk, OutboxEvent),
                raw=self._reader.raw("event", event.pk, OutboxEvent),
                facts=self._reader.facts((_("event id"), event.uid), (_("version"), event.version)),
            )  # fmt: skip
        deliveries = WebhookDelivery.objects.filter(event__order=self.order).select_related("event", "endpoint")
        for delivery in self._newest(deliveries.defer("event__body")):
            yield Entry(
                at=delivery.created_at, kind="webhooks", title=_("Webhook delivery"),
                label=Label(delivery.get_status_display(), webhooks.COLOURS[delivery.status]),
                link=self._reader.page("webhookdelivery", delivery.pk, WebhookDelivery),
                facts=self._reader.facts(
                    (_("event id"), delivery.event.uid), (_("address"), delivery.target),
                    (_("attempts"), delivery.attempts or ""), (_("last error"), delivery.last_error),
                    (_("due at"), delivery.due_at and localtime(delivery.due_at)),
                ),
            )  # fmt: skip
        tries = DeliveryAttempt.objects.filter(delivery__event__order=self.order)
        for attempt in self._newest(tries.defer("answer")):
            fine = attempt.http_status is not None and 200 <= attempt.http_status < 300
            yield Entry(
                at=attempt.at, kind="webhooks", title=_("Webhook sent"),
                label=Label(attempt.http_status or _("no answer"), "success" if fine else "danger"),
                raw=self._reader.raw("attempt", attempt.pk, WebhookDelivery),
                facts=self._reader.facts(
                    (_("address"), attempt.url), (_("error"), attempt.error), (_("milliseconds"), attempt.elapsed_ms)
                ),
            )  # fmt: skip

    def _deeds(self) -> Iterable[Entry]:
        subjects = [self.order.subject]
        subjects += [f"charge:{key}" for charge in self.charges for key in (charge.number, charge.pk)]
        subjects += [f"refund:{key}" for refund in self.refunds for key in (refund.number, refund.pk)]
        for row in self._newest(AuditRow.objects.filter(subject__in=subjects)):
            yield Entry(
                at=row.at, kind="deeds", title=timeline_words.deed_words(row.action, order=self.order),
                actor=row.actor, request_id=row.request_id, link=self._reader.page("auditrow", row.pk, AuditRow),
                facts=self._reader.facts(*self._reader.details(row.detail)),
            )  # fmt: skip
