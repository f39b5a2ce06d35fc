"""A client's customers: who they are, what they have, and how it came about."""

from typing import Any

from django_filters.rest_framework import ChoiceFilter, DjangoFilterBackend, FilterSet
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api import schema
from payments.api.serializers import GrantSerializer, ProfileSerializer
from payments.clients.authentication import client_of
from payments.clients.models import ApiClient
from payments.customers import grants, operations, queries
from payments.customers.grants import GrantCommand
from payments.customers.profiles import Profile
from payments.customers.queries import CustomerView, Direction
from payments.ledger.accounts import Kind
from payments.money import yuan_number
from payments.wire import CursorPagination, TimestampField
from payments.wire.views import FamilyViewSet


class StatementFilter(FilterSet):
    kind = ChoiceFilter(field_name="account_kind", choices=Kind.choices)
    direction = ChoiceFilter(choices=Direction.choices)


class StatementPages(CursorPagination):
    """Newest first, in the order in which transfers become visible: see `queries.statement`."""

    ordering = ("-xact_id", "-id")  # type: ignore[assignment]  # rest_framework takes a tuple as well


class CustomerViewSet(FamilyViewSet):
    family = "payments"
    pagination_class = StatementPages
    filter_backends = [DjangoFilterBackend]
    filterset_class = StatementFilter

    @property
    def client(self) -> ApiClient:
        return client_of(self.request)

    @property
    def permission_required_name(self) -> str:  # type: ignore[override]  # by action: to look is not to give
        return "payments.grant_value" if self.action == "grant" else ""

    @schema.SHOW
    def show(self, request: Request, user_id: str) -> Response:
        """Tell who a customer is and what they have."""
        return self.success(shown(queries.by_user_id(client_id=self.client.pk, user_id=user_id)))

    @schema.SAVE
    def save(self, request: Request, user_id: str) -> Response:
        """Make a customer, or change what is known of them."""
        profile = Profile(user_id=user_id, **self.validated(ProfileSerializer))
        operations.save_customer(client_id=self.client.pk, profile=profile, actor=self.client.actor)
        customer = queries.by_user_id(client_id=self.client.pk, user_id=user_id)
        return self.success(shown(customer))

    @schema.GRANT
    def grant(self, request: Request, user_id: str) -> Response:
        """Give a customer points or balance, or take them, once for each `grant_no`."""
        given = self.validated(GrantSerializer)
        command = GrantCommand(
            grant_no=given["grant_no"],
            kind=Kind(given["kind"]),
            direction=Direction(given["direction"]),
            amount_fen=given["amount"],
            reason=given["reason"],
        )
        holds_fen = grants.grant(client_id=self.client.pk, user_id=user_id, command=command, actor=self.client.actor)
        return self.success(
            {
                "grant_no": command.grant_no,
                "kind": command.kind,
                "direction": command.direction,
                "amount": yuan_number(command.amount_fen),
                **{kind.value: yuan_number(holds_fen[kind]) for kind in Kind},
            }
        )

    @schema.STATEMENT
    def statement(self, request: Request, user_id: str) -> Response:
        """List what moved a customer's points and balance, newest first."""
        transfers = self.filter_queryset(queries.statement(client_id=self.client.pk, user_id=user_id))
        page = self.paginate_queryset(transfers)
        return self.get_paginated_response([entry(transfer) for transfer in page or []])


def shown(customer: CustomerView) -> dict[str, Any]:
    """Return a customer as the wire has it."""
    return {
        "user_id": customer.user_id,
        "ee_no": customer.ee_no,
        "phone": customer.phone,
        "real_name": customer.real_name,
        "is_frozen": customer.is_frozen,
        "points": yuan_number(customer.points_fen),
        "balance": yuan_number(customer.balance_fen),
    }


def entry(transfer: Any) -> dict[str, Any]:
    """Return a transfer of `queries.statement` as its customer sees it."""
    reference: str = transfer.reference  # of a grant "grant:<client>:<its number>", of an order a charge's number
    return {
        "at": TimestampField().to_representation(transfer.at),
        "kind": transfer.account_kind,
        "direction": transfer.direction,
        "amount": yuan_number(transfer.amount_fen),
        "purpose": transfer.kind,
        "order_number": transfer.order.number if transfer.order else "",
        "grant_no": reference.split(":", 2)[2] if reference.startswith("grant:") else "",
    }
