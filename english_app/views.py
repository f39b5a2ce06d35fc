"""Document 004's six calls: GET and POST alike, form and JSON."""

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from english_app import answers, operations, pricing, queries, returns
from english_app.operations import FAMILY, InitCommand
from english_app.serializers import GoodsSerializer, InitSerializer, ListSerializer, OrderSerializer
from payments.charges import queries as charge_queries
from payments.clients.authentication import client_of
from payments.clients.networks import caller
from payments.customers import queries as customers
from payments.money import yuan_number
from payments.wire import FORM_PARSERS, StrictJSONParser
from payments.wire.views import FamilyViewSet


class EnglishViewSet(FamilyViewSet):
    """Document 004 names neither a token nor a sign: `app_id` names the client, and one of the two proves it."""

    family = FAMILY
    parser_classes = (StrictJSONParser, *FORM_PARSERS)
    app_id_names_client = True
    timestamp_required = False  # with a token; without one, both are asked for
    sign_required = False

    def customer_id(self, user_id: str) -> int:
        """:raises customers.CustomerUnknown: if the calling client has no customer of that user id"""
        return customers.by_user_id(client_id=client_of(self.request).pk, user_id=user_id).customer_id

    def pay_way(self, request: Request) -> Response:
        """List the ways to pay that the shop has set up."""
        channels = charge_queries.app_ways(client_id=client_of(request).pk, family=FAMILY)
        return self.success([answers.pay_way(channel) for channel in channels])

    def lists(self, request: Request) -> Response:
        """List a customer's orders, newest first."""
        given = self.validated(ListSerializer)
        page = queries.page(customer_id=self.customer_id(given["user_id"]), page=given["page"], limit=given["limit"])
        return self.success([answers.row(document) for document in page])

    def submit_goods_order(self, request: Request) -> Response:
        """Tell what goods cost. Nothing is kept."""
        given = self.validated(GoodsSerializer)
        self.customer_id(given["user_id"])
        priced = pricing.price(client_id=client_of(request).pk, wanted=given["goods_list"])
        return self.success({"price_total": yuan_number(pricing.total_fen(priced))})

    def init(self, request: Request) -> Response:
        """Make a purchase and the recharge that pays for it, and start the payment of that."""
        given, client, origin = self.validated(InitSerializer), client_of(request), caller(request.META)
        command = InitCommand(
            user_id=given["user_id"],
            user_name=given["user_name"],
            title=given["title"],
            price_total_fen=given["price_total"],
            money_fen=given["money"],
            imeil=given["imeil"],
            pay_way=given["pay_way_name"],
            agent_id=given["agent_id"] or None,
            goods=tuple(given["goods_list"]),
            ip=str(origin.address) if origin.address else None,
        )
        made = operations.init(client=client, command=command, at=timezone.now())
        bind_contextvars(order=made.purchase.number)
        return self.success(
            {
                "charge_order_sn": made.recharge.number if made.recharge else "",
                "params": answers.params(made.charge),
                "pay_order_sn": made.purchase.number,
            }
        )

    def pay(self, request: Request) -> Response:
        """Pay a purchase from the balance."""
        given = self.validated(OrderSerializer)
        operations.pay(
            client=client_of(request),
            user_id=given["user_id"],
            number=given["order_sn"],
            at=timezone.now(),
        )
        bind_contextvars(order=given["order_sn"])  # there is such an order: no log has whatever somebody sends
        return self.success({})

    def cancel(self, request: Request) -> Response:
        """Ask for the return of a paid purchase."""
        given, client = self.validated(OrderSerializer), client_of(request)
        document = queries.detail(number=given["order_sn"], client_id=client.pk, user_id=given["user_id"])
        bind_contextvars(order=document.order.number)
        returns.ask(order_id=document.order_id, actor=client.actor, at=timezone.now())
        return self.success({})
