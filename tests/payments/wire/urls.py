"""A family's views in miniature, for the tests of the wire and of who calls."""

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404
from django.urls import re_path
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from payments.errors import Conflict
from payments.models import AuditRow
from payments.wire import (
    FORM_PARSERS,
    IdField,
    ObjectListField,
    StrictJSONParser,
    TextField,
    TimestampField,
    WholeNumberField,
    YuanField,
    unknown_path,
)
from payments.wire.serializers import Parameters
from payments.wire.views import FamilyViewSet, both_slashes


class Amount(serializers.Serializer):
    total_amount = YuanField()
    user_id = IdField(required=False)
    note = TextField(default="", max_length=20)
    number = WholeNumberField(required=False)
    at = TimestampField(required=False)


class Line(Parameters):
    good_id = IdField()
    num = WholeNumberField()


class Basket(Parameters):
    goods_list = ObjectListField(child=Line())
    note = TextField(default="")


class AuditRowSerializer(serializers.ModelSerializer):
    class Meta:
        model = AuditRow
        fields = ["id", "subject"]


def canary():
    raise RuntimeError("canary-secret SELECT * FROM payments_apiclient")


def slow_statement():
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 20")
        try:
            cursor.execute("SELECT pg_sleep(5)")
        finally:
            connection.close()


def broken_connection():
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        finally:
            connection.close()


def raise_(error):
    raise error


TROUBLES = {
    "canary": canary,
    "slow_statement": slow_statement,
    "broken_connection": broken_connection,
    "conflict": lambda: raise_(Conflict("The number is taken by %(by)s.", field="out_trade_no", by="another")),
    "throttled": lambda: raise_(exceptions.Throttled(wait=6.2)),
    "not_found": lambda: raise_(Http404("payments_order 17")),
    "forbidden": lambda: raise_(PermissionDenied("row 17")),
    "nested": lambda: raise_(exceptions.ValidationError({"goods": [{}, {"num": ["Too many."]}]})),
    "whole": lambda: raise_(exceptions.ValidationError("These do not go together.")),
}


class ShopViewSet(FamilyViewSet):
    family = "checkout"
    permission_required_name = "checkout.point_pay"

    def pay(self, request):
        given = self.validated(Amount)
        return self.success({**given, "by": request.auth.name, "name": request.user.username}, result_code="paid")


class PlainViewSet(FamilyViewSet):
    """No caller asked for: what is under test is the answer."""

    family = "checkout"
    authentication_classes = []
    permission_classes = [AllowAny]
    queryset = AuditRow.objects.all()
    serializer_class = AuditRowSerializer

    def echo(self, request):
        given = self.validated(Amount)
        return self.success({name: str(value) for name, value in given.items()}, result_code="echo")

    def body(self, request):
        return self.success({name: repr(value) for name, value in request.data.items()})

    def trouble(self, request, kind):
        TROUBLES[kind]()
        return Response({})

    def rows(self, request):
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class PaymentsPlainViewSet(PlainViewSet):
    family = "payments"


class PaymentsShopViewSet(ShopViewSet):
    family = "payments"
    permission_required_name = ""
    timestamp_required = sign_required = False


class PartnerViewSet(ShopViewSet):
    """As document 002 calls: no token, no timestamp, a form or JSON, signed."""

    family = "partner_orders"
    default_client_serves = True
    permission_required_name = ""
    timestamp_required = False
    parser_classes = (StrictJSONParser, *FORM_PARSERS)

    def look(self, request):
        return self.success({"by": request.auth.name})


class PartnerPlainViewSet(PlainViewSet):
    family = "partner_orders"
    parser_classes = (StrictJSONParser, *FORM_PARSERS)

    def lazy(self, request):
        return self.success({"said": gettext_lazy("You may not do this. Ask the operator for the permission.")})


class EnglishViewSet(ShopViewSet):
    """As document 004 calls: a token, or an app id with timestamp and sign; GET or POST."""

    family = "english_app"
    app_id_names_client = True
    permission_required_name = ""
    timestamp_required = sign_required = False
    parser_classes = (StrictJSONParser, *FORM_PARSERS)

    def look(self, request):
        return self.success({"by": request.auth.name, "name": request.user.username})


class EnglishPlainViewSet(PlainViewSet):
    family = "english_app"
    parser_classes = (StrictJSONParser, *FORM_PARSERS)

    def goods(self, request):
        return self.success(self.validated(Basket)["goods_list"])


READ = {"get": "look", "post": "look"}
urlpatterns = [
    both_slashes("english/look", EnglishViewSet.as_view(READ), name="english-look"),
    both_slashes("english/list", EnglishViewSet.as_view(READ, answers_a_list=True), name="english-list"),
    both_slashes(
        "english/beyond", EnglishViewSet.as_view(READ, timestamp_required=True, sign_required=True), name="english-more"
    ),
    both_slashes("english/goods", EnglishPlainViewSet.as_view({"get": "goods", "post": "goods"}), name="english-goods"),
    both_slashes("english/trouble/(?P<kind>[a-z_]+)", EnglishPlainViewSet.as_view({"post": "trouble"}), name="e-t"),
    re_path("^english/", unknown_path, {"family": "english_app"}),
    both_slashes("partner/pay", PartnerViewSet.as_view({"post": "pay"}), name="partner-pay"),
    both_slashes("partner/look", PartnerViewSet.as_view({"post": "look"}, sign_required=False), name="partner-look"),
    both_slashes(
        "partner/timed", PartnerViewSet.as_view({"post": "look"}, timestamp_required=True), name="partner-timed"
    ),
    both_slashes("partner/echo", PartnerPlainViewSet.as_view({"post": "echo"}), name="partner-echo"),
    both_slashes("partner/body", PartnerPlainViewSet.as_view({"post": "body"}), name="partner-body"),
    both_slashes("partner/lazy", PartnerPlainViewSet.as_view({"get": "lazy"}), name="partner-lazy"),
    both_slashes("partner/rows", PartnerPlainViewSet.as_view({"get": "rows", "post": "rows"}), name="partner-rows"),
    both_slashes("partner/trouble/(?P<kind>[a-z_]+)", PartnerPlainViewSet.as_view({"post": "trouble"}), name="p-t"),
    re_path("^partner/", unknown_path, {"family": "partner_orders"}),
    both_slashes("shop/pay", ShopViewSet.as_view({"post": "pay", "get": "pay"}), name="pay"),
    both_slashes("payments/pay", PaymentsShopViewSet.as_view({"post": "pay"}), name="payments-pay"),
    both_slashes("plain/echo", PlainViewSet.as_view({"post": "echo", "get": "echo"}), name="echo"),
    both_slashes("plain/body", PlainViewSet.as_view({"post": "body"}), name="body"),
    both_slashes("plain/trouble/(?P<kind>[a-z_]+)", PlainViewSet.as_view({"post": "trouble"}), name="trouble"),
    both_slashes("payments/trouble/(?P<kind>[a-z_]+)", PaymentsPlainViewSet.as_view({"post": "trouble"}), name="t"),
    both_slashes("payments/rows", PaymentsPlainViewSet.as_view({"get": "rows"}), name="rows"),
    re_path("^shop/", unknown_path, {"family": "checkout"}),
]
