"""Document 004's addresses: each answers GET, where the query string is the body, and POST alike."""

from typing import Any

from django.urls import URLPattern, re_path

from english_app.views import EnglishViewSet
from payments.wire import unknown_path
from payments.wire.views import both_slashes


def _call(path: str, action: str, **initkwargs: Any) -> URLPattern:
    view = EnglishViewSet.as_view({"get": action, "post": action}, **initkwargs)
    return both_slashes(f"english/order/{path}", view, name=f"english-{action.replace('_', '-')}")


urlpatterns = [
    _call("payWay", "pay_way", answers_a_list=True),
    _call("lists", "lists", answers_a_list=True),
    _call("submitGoodsOrder", "submit_goods_order"),
    _call("init", "init"),
    _call("pay", "pay"),
    _call("cancel", "cancel"),
    re_path("^english/", unknown_path, {"family": "english_app"}),
]
