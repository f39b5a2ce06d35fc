"""
What came over the wire, as people can read it: laid out, escaped by the template, cut, and without what is secret.

Whatever a stranger sends stands here, so nothing of it is trusted: neither its size, nor its depth, nor its form.
"""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from payments.models import Charge, DeliveryAttempt, InboundNotification, OutboxEvent, WebhookDelivery
from payments.redaction import TEXT_LENGTH_MAX, redact_text, redacted

FIELDS_MAX = 200
_ELEMENT = re.compile(r"<([\w:.-]{1,64})>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</\1>", re.DOTALL)
_FORM = re.compile(r"[\w.%+~-]{1,64}=[^<>{}\n]*(?:&|\Z)")

Part = tuple[Any, str]


def of_notification(row: InboundNotification, *, persons: bool) -> list[Part]:
    headers = redacted(row.headers, persons=persons)
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items()) if isinstance(headers, dict) else ""
    return [(_("Headers"), lines), (_("Body"), laid_out(bytes(row.body), persons=persons))]


def of_event(row: OutboxEvent, *, persons: bool) -> list[Part]:
    return [(_("As it is sent"), laid_out(row.body, persons=persons))]


def of_attempt(row: DeliveryAttempt, *, persons: bool) -> list[Part]:
    answer = laid_out(row.answer, persons=persons) if row.answer else redact_text(row.error, persons=persons)
    return [(_("Answer"), answer)]


def of_charge(row: Charge, *, persons: bool) -> list[Part]:
    payload = json.dumps(redacted(row.payload, persons=persons), ensure_ascii=False, indent=2)
    return [
        (_("What the payer's side needs"), _cut(payload)),
        (_("Gateway's last word"), redact_text(row.last_answer, persons=persons)),
    ]


# kind in addresses: model, its way to the order, whose page one must be allowed to see, how it is shown
SOURCES: dict[str, tuple[type[Model], str, type[Model], Callable[..., list[Part]]]] = {
    "notification": (InboundNotification, "charge__order", InboundNotification, of_notification),
    "event": (OutboxEvent, "order", OutboxEvent, of_event),
    "attempt": (DeliveryAttempt, "delivery__event__order", WebhookDelivery, of_attempt),
    "charge": (Charge, "order", Charge, of_charge),
}


def laid_out(body: str | bytes, *, persons: bool) -> str:
    """Return a body as JSON, a form or XML is read best, or as it is."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    for layout in (_as_json, _as_form, _as_xml):
        if (shown := layout(text[: 4 * TEXT_LENGTH_MAX], persons=persons)) is not None:
            return _cut(shown)
    return _cut(redact_text(text, persons=persons), whole=len(text))


def _as_json(text: str, *, persons: bool) -> str | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.dumps(redacted(json.loads(text), persons=persons), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None


def _as_form(text: str, *, persons: bool) -> str | None:
    if not _FORM.match(text):
        return None
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return None
    return "\n".join(f"{redact_text(name)} = {redacted(value, name=name, persons=persons)}" for name, value in pairs)


def _as_xml(text: str, *, persons: bool) -> str | None:
    if not text.lstrip().startswith("<"):
        return None

    def shown(element: re.Match[str]) -> str:
        name, wrapped, plain = element.groups()
        value = redacted(wrapped if wrapped is not None else plain, name=name, persons=persons)
        return f"<{name}>{value}</{name}>"

    laid = re.sub(r">\s*<(?!!)", ">\n<", _ELEMENT.sub(shown, text[:TEXT_LENGTH_MAX]))
    return redact_text(laid, persons=persons)


def _cut(text: str, *, whole: int = 0) -> str:
    if max(len(text), whole) <= TEXT_LENGTH_MAX:
        return text
    more = _("… %(characters)d characters in all") % {"characters": max(len(text), whole)}
    return f"{text[:TEXT_LENGTH_MAX]}\n{more}"
