"""The customers API for the API pages. It goes beyond the documents, so the examples are ours."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from payments.api.serializers import GrantSerializer, NothingSerializer, ProfileSerializer, StatementSerializer
from payments.customers.queries import Direction
from payments.ledger.accounts import Kind
from payments.ledger.models import TransferKind
from payments.wire.openapi import described

_USER_ID = OpenApiParameter(
    "user_id", str, OpenApiParameter.PATH, description=_("The customer, as you know them."), pattern="^[^/]{1,64}$"
)
_SIGNED = [
    OpenApiParameter("timestamp", str, required=True, description=_("Now, e.g. in Unix seconds.")),
    OpenApiParameter("sign", str, required=True, description=_("Over all other parameters of the query string.")),
]
_KNOWN = {"ee_no": "a09999", "phone": "13800000000", "real_name": "林小满"}
_CUSTOMER = {"user_id": "442090", **_KNOWN, "is_frozen": False, "points": 131.28, "balance": 0}
_GRANT = {"grant_no": "spring-2018-442090", "kind": "points", "direction": "in", "amount": 131.28}
_ENTRY = {
    "at": "2018-06-15 12:00:00",
    "kind": "points",
    "direction": "in",
    "amount": 131.28,
    "purpose": "grant",
    "order_number": "",
    "grant_no": "spring-2018-442090",
}
_VALUES = {"kind": list(Kind.values), "direction": list(Direction.values), "purpose": list(TransferKind.values)}


def _call(
    *,
    name: str,
    summary: Any,
    request: type[serializers.Serializer[Any]],
    data: Mapping[str, Any],
    sent: Mapping[str, Any] | None = None,
    query: list[Any] | None = None,
) -> Callable[[Any], Any]:
    """Describe a call on a customer. `query`: of a GET, whose parameters, time and sign stand in the query string."""
    describe = described(
        family="payments", name=name, document="442090", summary=summary, request=request,
        sent=sent or {}, answered={"status_code": 0, "data": data}, values=_VALUES,
    )  # fmt: skip
    parameters = [_USER_ID] if query is None else [_USER_ID, *query, *_SIGNED]
    return lambda view: extend_schema(parameters=parameters)(describe(view))


SHOW = _call(
    name="customer",
    summary=_("Tell who a customer is and what they have"),
    request=NothingSerializer,
    data=_CUSTOMER,
    query=[],
)
SAVE = _call(
    name="save_customer",
    summary=_("Make a customer, or change what is known of them"),
    request=ProfileSerializer,
    sent=_KNOWN,
    data=_CUSTOMER,
)
GRANT = _call(
    name="grant",
    summary=_("Give a customer points or balance, or take them, once for each grant_no"),
    request=GrantSerializer,
    sent={**_GRANT, "reason": "春节"},
    data={**_GRANT, "points": 131.28, "balance": 0},
)
STATEMENT = _call(
    name="statement",
    summary=_("List what moved a customer's points and balance, newest first"),
    request=StatementSerializer,
    data={"results": [_ENTRY], "next": None, "previous": None},
    query=[StatementSerializer],
)
