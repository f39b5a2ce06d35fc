"""Chinese or English: as `?lang=` asks, else as it asked before, else as the browser prefers."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

ASKED = {"zh": "zh-hans", "zh-hans": "zh-hans", "en": "en"}


class LanguageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = ASKED.get(request.GET.get("lang", "").lower())
        language = asked or translation.get_language_from_request(request)
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        if asked:
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, asked, max_age=31_536_000, samesite="Lax")
        return response
