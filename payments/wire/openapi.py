"""
A documented call as OpenAPI: the family's envelope, the sign, and the document's own examples.

The answer's schema is read off the document's example, so that what is documented and what is shown cannot part.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from payments.wire.envelopes import ENVELOPES, Refusal
from payments.wire.fields import TextField, TimestampField

# status: a code that comes with it, and what it means
REFUSALS = {
    400: ("invalid_field", _("Malformed, or a field is wrong: it is named.")),
    401: ("sign_wrong", _("Token or sign is missing or wrong.")),
    403: ("permission_missing", _("Not permitted.")),
    404: ("not_found", _("Unknown to you.")),
    409: ("conflict", _("Conflicts with what is stored.")),
    422: ("refused", _("Understood and refused.")),
    503: ("try_again", _("Nothing was done: try again in a moment.")),
}


def described(
    *,
    family: str,
    name: str,
    document: str,
    summary: Any,
    request: type[serializers.Serializer[Any]],
    sent: Mapping[str, Any],
    answered: Mapping[str, Any],
    values: Mapping[str, list[str]] | None = None,
    meanings: Mapping[str, Any] | None = None,
    signed: bool = True,
    methods: list[str] | None = None,
    auth: list[Any] | None = None,
    others: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] | None = None,
    answers_a_list: bool = False,
) -> Callable[[Any], Any]:
    """
    Describe one call for drf-spectacular.

    `sent` and `answered` are the document's examples; `others` further pairs of them, by name.
    `values` lists, for a field of the answer, the texts it may have; `meanings` says what one means whose name does
    not tell. `methods`: of the HTTP methods that the view
    answers, those meant; all without it. `auth`: who may call, where it is not with the token alone. `answers_a_list`:
    as the view says it.
    """
    examples = {document: (sent, answered), **(others or {})}
    shapes: list[dict[str, Any]] = []
    for _asked, told in examples.values():
        if (shape := schema_of(told, values, meanings=meanings)) not in shapes:
            shapes.append(shape)
    answer = {"anyOf": shapes} if len(shapes) > 1 else shapes[0]  # an empty object is of every shape
    return extend_schema(
        operation_id=f"{family}_{name}",
        summary=summary,
        tags=[family],
        methods=methods,
        auth=auth,
        request=_signed(request) if signed else request,
        responses={
            200: OpenApiResponse(answer, description=_("Done.")),
            **_refusals(family, answers_a_list=answers_a_list),
        },
        examples=[
            example
            for label, (asked, told) in examples.items()
            for example in (
                OpenApiExample(label, value=asked, request_only=True),
                OpenApiExample(label, value=told, response_only=True, status_codes=["200"]),
            )
        ],
    )


def _refusals(family: str, *, answers_a_list: bool) -> dict[int, OpenApiResponse]:
    answers = {}
    for status, (code, meaning) in REFUSALS.items():
        refused = ENVELOPES[family].refusal(
            Refusal(status=status, code=code, message="…", answers_a_list=answers_a_list)
        )
        answers[status] = OpenApiResponse({**schema_of(refused), "example": refused}, description=meaning)
    return answers


def schema_of(
    example: Any,
    values: Mapping[str, list[str]] | None = None,
    *,
    name: str = "",
    meanings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the JSON schema that `example` is an example of."""
    match example:
        case dict():
            properties = {
                key: schema_of(value, values, name=key, meanings=meanings)
                | ({"description": meanings[key]} if meanings and key in meanings else {})
                for key, value in example.items()
            }
            return {"type": "object", "properties": properties} | ({"required": list(properties)} if properties else {})
        case list():
            return {"type": "array", "items": schema_of(example[0], values, meanings=meanings) if example else {}}
        case bool():
            return {"type": "boolean"}
        case str():
            known = (values or {}).get(name)
            return {"type": "string", "enum": known} if known else {"type": "string"}
        case None:
            return {"nullable": True}
    return {"type": "number"}


@functools.cache  # two calls may take the same parameters
def _signed(request: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """The same parameters with the two that every signed call carries; see docs/api for the recipe."""
    return type(
        f"Signed{request.__name__}",
        (request,),
        {
            "timestamp": TimestampField(help_text=_("Now: Unix seconds, milliseconds, or Asia/Shanghai's clock.")),
            "sign": TextField(help_text=_("MD5 or HMAC-SHA256 over all other parameters, hexadecimal.")),
        },
    )
