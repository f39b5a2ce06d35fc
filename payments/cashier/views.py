"""
The page a customer pays on.

A family subclasses `CashierView`, says which of its orders it serves and where the customer goes afterwards, and mounts
`CashierView.urls`. GET shows and never starts a charge; POST starts one and redirects, so that a reload is harmless.
"""

from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy as _
from django.views import View
from structlog.contextvars import bind_contextvars

from payments.cashier import limits, pages, sessions, ways
from payments.cashier.openids import OpenidUnknown, WechatVisitor
from payments.cashier.scenes import Scene, scene_of
from payments.cashier.ways import Device, Way
from payments.charges import operations as charges
from payments.charges import queries
from payments.charges.operations import Payer
from payments.clients import networks
from payments.errors import NotFound, OnetillError
from payments.gateways.base import Mode
from payments.models import Charge, Order
from payments.orders import queries as orders
from payments.transactions import DATABASE_TROUBLE, DatabaseBusy

NUMBER = r"(?P<number>[0-9A-Za-z]{1,28})"


class HttpResponseSeeOther(HttpResponseRedirect):
    status_code = 303


class TooManyRequests(OnetillError):
    status = 429
    code = "too_many_requests"
    message = _("Too many requests from your network. Wait a minute and try again.")


class WayUnknown(OnetillError):
    code = "way_unknown"
    message = _("This way to pay is not on offer. Choose another one.")


class CashierView(View):
    """The cashier of one family's orders, or of any family's where `family` is empty."""

    family: ClassVar[str] = ""
    route: ClassVar[str] = ""  # the name of the page's URL

    order: Order
    in_session: bool
    visitor: WechatVisitor | None  # where the page is open inside WeChat

    def return_url(self, order: Order) -> str:
        """Return where the customer goes in the end, signed by the family; "" for nowhere. Asked only in a session."""
        return ""

    def plain_return_url(self, order: Order) -> str:
        """Return where a visitor without a session may go in the end: it tells nothing."""
        return ""

    @classmethod
    def urls(cls, prefix: str) -> list[URLPattern]:
        """Return the page and its live status under `prefix`, each with and without its last slash."""
        view = cls.as_view()
        return [
            re_path(rf"^{prefix}{NUMBER}/$", view, name=cls.route),
            re_path(rf"^{prefix}{NUMBER}$", view),
            re_path(rf"^{prefix}{NUMBER}/status/?$", view, {"live": True}),
        ]

    @classmethod
    def path(cls, number: str) -> str:
        """Return the page's own path."""
        return reverse(cls.route, args=[number])

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.at = timezone.now()
        self.device = ways.device_of(request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self._admit(number=kwargs["number"])
            response = super().dispatch(request, *args, **kwargs)
        except OnetillError as error:
            response = _refused(request, error, live="live" in kwargs)
        except DATABASE_TROUBLE as error:
            response = _refused(request, DatabaseBusy(error), live="live" in kwargs)
        patch_cache_control(response, private=True, no_store=True)
        # WeChat's H5 page asks which site led to it. It learns the site, and not the order's address.
        response.headers["Referrer-Policy"] = "strict-origin"
        return response

    def get(self, request: HttpRequest, number: str, *, live: bool = False) -> HttpResponse:
        scene = scene_of(order=self.order, at=self.at)
        if live:
            return JsonResponse(pages.live(scene=scene, return_path=self._return_path(scene)))
        if "return" in request.GET and scene.is_ended and (url := self._way_back()):
            return HttpResponseRedirect(url)
        introduction = self.visitor.introduction() if self.visitor and scene.is_payable else None
        return introduction or self._page(scene)

    def post(self, request: HttpRequest, number: str, *, live: bool = False) -> HttpResponse:
        if live:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        try:
            way = self._chosen(request.POST.get("way", ""))
            self._pay_by(way)
        except OnetillError as error:
            self.order.refresh_from_db()
            return self._page(scene_of(order=self.order, at=self.at), error=error)
        # The fragment tells the script to go on to the gateway, once: Chromium lets no form lead to another site
        # (form-action), and without a script there is a button.
        onward = "" if way.mode is Mode.QR else "#go"
        return HttpResponseSeeOther(f"{self.path(number)}{onward}")

    def _admit(self, *, number: str) -> None:
        """
        Find the order and whose browser this is.

        :raises TooManyRequests: if the address asks too often without a session
        :raises OrderUnknown: if there is no such order in the family
        """
        address = _address(self.request)
        is_counted = address and not sessions.names(request=self.request, number=number)
        if is_counted and not limits.within(address=address):
            raise TooManyRequests
        self.order = orders.by_number(number=number, family=self.family or None)
        bind_contextvars(order=number)
        self.in_session = sessions.is_open(request=self.request, order=self.order, at=self.at)
        is_in_wechat = self.device is Device.WECHAT
        path = self.path(number)
        self.visitor = WechatVisitor(request=self.request, order=self.order, path=path) if is_in_wechat else None

    def _chosen(self, value: str) -> Way:
        """:raises WayUnknown: if the form names no way that is on offer on any device"""
        open_to = queries.ways_to_pay(order=self.order)
        on_offer = {way.value: way for device in Device for way in ways.offered(open_to=open_to, device=device)}
        if value not in on_offer:
            raise WayUnknown
        return on_offer[value]

    def _pay_by(self, way: Way) -> Charge:
        """:raises OpenidUnknown: for a payment inside WeChat of whom WeChat has not introduced"""
        openid = self._openid if way.mode is Mode.JSAPI else ""
        if way.mode is Mode.JSAPI and not openid:
            raise OpenidUnknown
        return charges.pay_by(
            order_id=self.order.pk,
            channel=way.channel,
            mode=way.mode,
            payer=Payer(
                payer_id=openid,
                payer_address=_address(self.request),
                return_url=f"{settings.BASE_URL}{self.path(self.order.number)}?returned=1",
            ),
            actor=f"customer:{self.order.customer_id}" if self.in_session else "cashier",
            at=self.at,
        )

    @property
    def _openid(self) -> str:
        return self.visitor.openid if self.visitor else ""

    def _way_back(self) -> str:
        return self.return_url(self.order) if self.in_session else self.plain_return_url(self.order)

    def _return_path(self, scene: Scene) -> str:
        """
        Return the path that redirects to the shop, "" while or where there is none.

        Ours and not the shop's own, so that `timestamp` and `sign` are made when the person goes, not when they read.
        """
        return f"{self.path(self.order.number)}?return" if scene.is_ended and self._way_back() else ""

    def _page(self, scene: Scene, *, error: OnetillError | None = None) -> HttpResponse:
        context = pages.context(
            scene=scene,
            path=self.path(scene.order.number),
            return_path=self._return_path(scene),
            device=self.device,
            openid=self._openid,
            error=error,
        )
        context |= {"in_session": self.in_session, "has_returned": "returned" in self.request.GET}
        return render(self.request, "cashier/page.html", context, status=error.status if error else HTTPStatus.OK)


def _refused(request: HttpRequest, error: OnetillError, *, live: bool) -> HttpResponse:
    if live:
        return JsonResponse({"error_code": error.code, "message": error.sentence()}, status=error.status)
    context = {"title": _("Please wait a moment"), "sentence": error.sentence()}
    if isinstance(error, NotFound):
        sentence = _("Check the address, or open the link once more from where you got it.")
        context = {"title": _("There is no such order"), "sentence": sentence}
    return render(request, "onetill/message.html", context, status=error.status)


def _address(request: HttpRequest) -> str:
    """Return the visitor's IP address, or "" where it cannot be told."""
    return str(networks.caller(request.META).address or "")
