"""The base of every family's views: translate in, one domain call, translate out."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from django.utils.translation import gettext_lazy as _
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from payments.errors import Malformed
from payments.wire.envelopes import ENVELOPES, language_of
from payments.wire.forms import parameters
from payments.wire.pages import CursorPagination

NO_PAGE = "default-src 'none'; frame-ancestors 'none'"


class UnsupportedMediaType(Malformed):
    status = 415
    code = "unsupported_media_type"
    message = _("Send the body with a Content-Type that is taken here: %(types)s.")


class OneFormat(BaseContentNegotiation):
    """There is one answer for every caller: an odd Accept header of an old app is no reason for a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """:raises UnsupportedMediaType: for a body in a format that no parser of the view reads"""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        by_type = {parser.media_type: parser for parser in parsers}
        if media_type not in by_type:
            raise UnsupportedMediaType(types=", ".join(by_type))
        return by_type[media_type]

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class FamilyViewSet(GenericViewSet[Any]):
    """
    Views of one family. What a call must bring is declared here and asked for by the authentication:

    a token always, but where `default_client_serves` (a call without one is the family's default client's, and signed)
    or `app_id_names_client` (it is the client's that the parameter `app_id` names, timed and signed); `timestamp` and
    `sign` unless a view says otherwise; a permission where a view names one. Bodies are JSON; a family whose document
    names no format adds `FORM_PARSERS` to its `parser_classes`.

    `answers_a_list`: for the families whose refusals are then empty lists too.
    """

    family: ClassVar[str]
    default_client_serves: ClassVar[bool] = False
    app_id_names_client: ClassVar[bool] = False
    permission_required_name = ""  # "checkout.point_pay"
    timestamp_required = True
    sign_required = True
    answers_a_list = False
    content_negotiation_class = OneFormat
    pagination_class = CursorPagination
    metadata_class = None  # OPTIONS would describe the view to anyone

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with language_of(self.family) as headers:
            answer = super().dispatch(request, *args, **kwargs)
            if headers and isinstance(answer, Response):
                answer.render()  # here, where lazy sentences are the family's
        for name, value in headers.items():
            answer[name] = value
        return answer

    def validated(self, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
        """
        Return the parameters as `serializer_class` reads them. Further parameters are let be.

        :raises ValidationError: told as 400 with the field and what to do
        """
        context = {"request": self.request, "client": self.request.auth}
        serializer = serializer_class(data=parameters(self.request), context=context)
        serializer.is_valid(raise_exception=True)
        given: dict[str, Any] = serializer.validated_data
        return given

    def success(self, result: Any, *, result_code: str = "", status: int = 200) -> Response:
        return Response(ENVELOPES[self.family].success(result, result_code), status=status)

    def get_paginated_response(self, data: Any) -> Response:
        assert isinstance(self.paginator, CursorPagination)
        return self.success(self.paginator.links_and(data))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        answer["Content-Security-Policy"] = NO_PAGE
        return answer


def both_slashes(route: str, view: Callable[[HttpRequest], HttpResponseBase], *, name: str) -> URLPattern:
    """Route a path (a regular expression without its ends) that answers with and without its last slash."""
    return re_path(rf"^{route.strip('/')}/?$", view, name=name)
