"""What goes out: each family's envelope, as one row of a table."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework.renderers import BaseRenderer

from payments.wire.encoding import encode

CONTENT_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """
    An error as every family can tell it. `fields`: field → sentences, where fields are to blame.

    `answers_a_list`: of the view that refused, whose answer is a list where it says yes.
    """

    status: int
    code: str
    message: str
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    answers_a_list: bool = False

    @property
    def sentence(self) -> str:
        """The sentence for an envelope that has room for one: it names the field itself."""
        for name, sentences in self.fields.items():
            return f"{name}: {sentences[0]}"
        return self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """
    How a family says yes (a result, its result code) and no. Keys stand in the documents' order.

    `language`: of all that the family says, where its document shows one; else it is the caller's Accept-Language.
    """

    success: Callable[[Any, str], dict[str, Any]]
    refusal: Callable[[Refusal], dict[str, Any]]
    language: str = ""


ENVELOPES: dict[str, Envelope] = {
    "checkout": Envelope(
        success=lambda result, code: {"result_message": "", "result_code": code, "result": result, "success": True},
        refusal=lambda refusal: {
            "result_message": refusal.sentence,
            "result_code": refusal.code,
            "result": {},
            "success": False,
        },
    ),
    "english_app": Envelope(
        success=lambda result, _code: {"code": 0, "msg": "ok", "data": result},
        refusal=lambda refusal: {
            "code": refusal.status,
            "msg": refusal.sentence,
            "data": [] if refusal.answers_a_list else None,
            "error_code": refusal.code,
        },
        language="zh-hans",
    ),
    "partner_orders": Envelope(
        success=lambda result, _code: {"code": 1, "errors": {}, "msg": "操作成功", "result": result},
        refusal=lambda refusal: {
            "code": 0,
            "errors": refusal.fields,
            "msg": refusal.message,
            "result": {},
            "error_code": refusal.code,
        },
        language="zh-hans",
    ),
    "payments": Envelope(
        success=lambda result, _code: {"status_code": 0, "data": result},
        refusal=lambda refusal: {
            "status_code": 1,
            "data": {},
            "message": refusal.sentence,
            "error_code": refusal.code,
        },
    ),
}


class EnvelopeRenderer(BaseRenderer):
    """Writes what `FamilyViewSet.success` and the exception handler have enveloped."""

    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else encode(data).encode()


@contextlib.contextmanager
def language_of(family: str) -> Iterator[dict[str, str]]:
    """Speak the family's language, whatever Accept-Language says, and yield the headers that tell so."""
    language = ENVELOPES[family].language
    if not language:
        yield {}
        return
    with translation.override(language):
        yield {"Content-Language": language}


def unknown_path(request: HttpRequest, *, family: str) -> HttpResponse:
    """Answer 404 in the envelope of `family`: the last pattern under the family's prefix."""
    with language_of(family) as headers:
        message = _("There is nothing at this address. Check the path.")
    refusal = Refusal(status=404, code="unknown_path", message=message)
    body = encode(ENVELOPES[family].refusal(refusal))
    headers = {"Cache-Control": "no-store", **headers}
    return HttpResponse(body, status=refusal.status, content_type=CONTENT_TYPE, headers=headers)


unknown_path.csrf_exempt = True  # type: ignore[attr-defined]  # a POST to a wrong path is no page's form
