"""
Two lanes: pages take all of MIDDLEWARE, calls of the API only what comes before `CallLane`.

A call has no session, no cookie, no form and no page policy; what looks after those took a tenth of a pay's time.
"""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

Handler = Callable[[HttpRequest], HttpResponseBase]


class LaneEnd:
    """Stands last, where Django hands out the views themselves, and is never called: it tells `CallLane` the way."""

    views: Handler

    def __init__(self, get_response: Handler) -> None:
        type(self).views = staticmethod(get_response)
        raise MiddlewareNotUsed


class CallLane:
    """Leads calls straight to the views, in the language they accept."""

    def __init__(self, get_response: Handler) -> None:
        self.pages = get_response
        self.views = LaneEnd.views  # Django builds from the last to the first

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(settings.CALL_PATHS):
            return self.pages(request)
        translation.activate(translation.get_language_from_request(request))
        return self.views(request)
