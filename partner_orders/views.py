"""Document 002's call and, in its envelope and its style, what an app and a warehouse need around it."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from partner_orders import addresses, answers, operations, queries, shipping
from partner_orders.addresses import Recipient
from partner_orders.filters import AddressFilter, CouponFilter, GiftPackFilter, PartnerFilters, PartnerOrderFilter
from partner_orders.models import PartnerOrder
from partner_orders.operations import PayCommand
from partner_orders.serializers import (
    AddressChangeSerializer,
    AddressIdSerializer,
    AddressSerializer,
    CancelSerializer,
    IdempotencyKeySerializer,
    OrderSerializer,
    PaySerializer,
    ShipSerializer,
)
from partner_orders.shipping import Shipment
from payments.api.serializers import CustomerSerializer
from payments.cashier.ways import Device, device_of
from payments.clients.authentication import client_of
from payments.customers import queries as customers
from payments.gateways.base import Mode
from payments.wire import FORM_PARSERS, StrictJSONParser
from payments.wire.views import FamilyViewSet

SHIPS_FOR_ALL = "partner_orders.ship_every_partnerorder"


class PartnerViewSet(FamilyViewSet):
    """Document 002 names no format: forms are taken as JSON is."""

    family = "partner_orders"
    parser_classes = (StrictJSONParser, *FORM_PARSERS)
    filter_backends = [PartnerFilters]

    def customer_id(self, user_id: str) -> int:
        """:raises customers.CustomerUnknown: if the calling client has no customer of that user id"""
        return customers.by_user_id(client_id=client_of(self.request).pk, user_id=user_id).customer_id

    def told(self, document: PartnerOrder) -> Response:
        bind_contextvars(order=document.order.number)
        return self.success({"order_info": answers.order_info(document)})


class PayViewSet(PartnerViewSet):
    """Document 002 knows no token and no timestamp: the sign, under the default client's secret, is the proof."""

    default_client_serves = True
    timestamp_required = False

    def pay(self, request: Request) -> Response:
        """Make an order for a gift pack and pay it."""
        given = self.validated(PaySerializer)
        command = PayCommand(
            user_id=given["user_id"],
            pay_type=given["pay_type"],
            pack_uid=given["gift_pos_id"],
            coupon_uid=given["coupon_id"],
            address_id=given["address_id"],
            pay_mode=Mode.PAGE if device_of(request._request) is Device.DESKTOP else Mode.WAP,  # noqa: SLF001
            key=_idempotency_key(request),
        )
        bought = operations.pay(client=client_of(request), command=command, at=timezone.now())
        bind_contextvars(order=bought.document.order.number)
        return self.success({"ali_pay_url": bought.pay_url, "order_info": answers.order_info(bought.document)})


def _idempotency_key(request: Request) -> str:
    serializer = IdempotencyKeySerializer(data={"Idempotency-Key": request.headers.get("Idempotency-Key", "")})
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["Idempotency-Key"])


class PartnerOrderViewSet(PartnerViewSet):
    filterset_class = PartnerOrderFilter

    def search(self, request: Request) -> Response:
        """List a customer's orders, newest first."""
        given = self.validated(CustomerSerializer)
        found = self.filter_queryset(queries.orders_of(customer_id=self.customer_id(given["user_id"])))
        page = self.paginate_queryset(found)
        return self.get_paginated_response([answers.order_info(document) for document in page or []])

    def show(self, request: Request) -> Response:
        """Tell how one order stands."""
        given = self.validated(OrderSerializer)
        return self.told(
            queries.detail(number=given["order_no"], client_id=client_of(request).pk, user_id=given["user_id"])
        )  # fmt: skip

    def cancel(self, request: Request) -> Response:
        """Close an order that nobody has paid."""
        given = self.validated(CancelSerializer)
        document = operations.cancel(
            client=client_of(request),
            user_id=given["user_id"],
            number=given["order_no"],
            reason=given.get("reason", ""),
            at=timezone.now(),
        )
        return self.told(document)

    def receive(self, request: Request) -> Response:
        """Take an order as received: its customer says so."""
        given, client = self.validated(OrderSerializer), client_of(request)
        document = queries.detail(number=given["order_no"], client_id=client.pk, user_id=given["user_id"])
        received = shipping.receive(order_id=document.order_id, actor=client.actor, at=timezone.now())
        return self.told(received)

    def ship(self, request: Request) -> Response:
        """Record who carries an order, and under which number: a warehouse may do so for every client."""
        given, client = self.validated(ShipSerializer), client_of(request)
        is_for_all = SHIPS_FOR_ALL in client.permission_names
        document = queries.detail(number=given["order_no"], client_id=None if is_for_all else client.pk)
        shipment = Shipment(
            name=given["order_express_name"],
            number=given["order_express_number"],
            code=given["order_express_no"],
            address=given["order_express_address"],
            at=given.get("order_express_time"),
        )
        shipped = shipping.ship(
            order_id=document.order_id,
            shipment=shipment,
            actor=client.actor,
            at=timezone.now(),
        )
        return self.told(shipped)


class GiftPackViewSet(PartnerViewSet):
    filterset_class = GiftPackFilter

    def search(self, request: Request) -> Response:
        """List the gift packs on sale, newest first."""
        page = self.paginate_queryset(self.filter_queryset(queries.on_sale(client_id=client_of(request).pk)))
        return self.get_paginated_response([answers.gift_pack(pack) for pack in page or []])


class CouponViewSet(PartnerViewSet):
    filterset_class = CouponFilter

    def search(self, request: Request) -> Response:
        """List a customer's coupons, newest first."""
        given, at = self.validated(CustomerSerializer), timezone.now()
        found = self.filter_queryset(queries.coupons(customer_id=self.customer_id(given["user_id"])))
        page = self.paginate_queryset(found)
        return self.get_paginated_response([answers.coupon(own, at=at) for own in page or []])


class AddressViewSet(PartnerViewSet):
    filterset_class = AddressFilter

    def search(self, request: Request) -> Response:
        """List a customer's addresses, newest first."""
        given = self.validated(CustomerSerializer)
        found = self.filter_queryset(queries.addresses(customer_id=self.customer_id(given["user_id"])))
        page = self.paginate_queryset(found)
        return self.get_paginated_response([answers.address(kept) for kept in page or []])

    def add(self, request: Request) -> Response:
        """Keep one more address."""
        given = self.validated(AddressSerializer)
        kept = addresses.add(
            customer_id=self.customer_id(given["user_id"]),
            recipient=_recipient(given),
            actor=client_of(request).actor,
        )
        return self.success({"address": answers.address(kept)})

    def change(self, request: Request) -> Response:
        """Make an address another one, whole. Orders keep the one they were made with."""
        given = self.validated(AddressChangeSerializer)
        kept = addresses.change(
            customer_id=self.customer_id(given["user_id"]),
            address_id=given["address_id"],
            recipient=_recipient(given),
            actor=client_of(request).actor,
        )
        return self.success({"address": answers.address(kept)})

    def delete(self, request: Request) -> Response:
        """Forget an address."""
        given = self.validated(AddressIdSerializer)
        addresses.delete(
            customer_id=self.customer_id(given["user_id"]),
            address_id=given["address_id"],
            actor=client_of(request).actor,
        )
        return self.success({})


def _recipient(given: dict[str, Any]) -> Recipient:
    return Recipient(**{name: given[name] for name in ("name", "phone", "address", "is_default")})
