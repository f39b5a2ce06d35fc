"""Every address we answer at, and who may not: a new one without a row here fails the first test."""

import base64
import re
import time

import pytest
from django.test import Client
from django.urls import get_resolver

from english_app.models import EnglishOrder
from partner_orders.models import PartnerOrder
from payments.clients import signing
from payments.models import Order, Refund, Transfer
from tests.attacks import english, partner
from tests.attacks.routes import GRANT, ROUTES, Route
from tests.calls import body, signed
from tests.payments.api.accounts import connect_wechat_v2
from tests.payments.outbox.shop import event_of, paid_order
from tests.world import SECRET, grant, make_customer, points_fen

pytestmark = pytest.mark.django_db


ADMIN = "admin/"  # its own module


def patterns():
    found = {}
    for pattern in get_resolver().url_patterns:
        inner = getattr(pattern, "url_patterns", None)
        if inner is None or str(pattern.pattern) == ADMIN:
            found[str(pattern.pattern)] = pattern
            continue
        for one in inner:
            found[f"{pattern.pattern}{one.pattern}"] = one
    return found


def test_every_address_has_its_case():
    assert set(patterns()) - {ADMIN} == set(ROUTES)


def routes(*who):
    chosen = [route for group in ROUTES.values() for route in group if route.who in who]
    return pytest.mark.parametrize("route", chosen, ids=lambda route: f"{route.method} {route.path}")


def call(
    route, *, number="2018061500000000", event="evt_none", user="442090", secret=SECRET, token="shop-token", client=None
):
    """Make the route's call as the client of `token` and `secret` would."""
    path = route.path.replace("NUMBER", number).replace("USER", user).replace("EVENT", event)
    headers = {"authorization": f"Token {token}"} if token else {}
    client = client or Client()
    if route.params is None:
        return client.generic(route.method, path, headers=headers)
    params = {name: number if value == "NUMBER" else value for name, value in route.params.items()}
    if route.method == "GET":
        query = {**params, "timestamp": str(int(time.time()))}
        query["sign"] = signing.sign(params=query, secret=secret, sign_type="MD5")
        return client.get(path, query, headers=headers)
    content = body(signed(params, secret=secret))
    return client.generic(route.method, path, content, content_type="application/json", headers=headers)


def code_of(response):
    answer = response.json()
    return answer.get("error_code") or answer.get("result_code")


@routes("client")
def test_control_a_good_call_is_answered(shop, route, request):
    if route.path.startswith("/app/partner/"):
        assert call(route, number=partner.prepared(shop, route.path)).json()["code"] == 1
        return
    if route.path.startswith("/english/"):
        assert call(route, number=english.prepared(shop, route.path)).json()["code"] == 0
        return
    if "refund" in route.path:
        number = refundable(shop)
        if "detail" in route.path:
            call(ROUTES[r"^rest/refund/?$"][0], number=number)
        assert call(route, number=number).status_code == 200
        return
    if "detail" in route.path or route.path == "/api/checkout/close/":
        call(ROUTES[r"^api/checkout/pay/?$"][0])
    if "/wx/" in route.path:
        connect_wechat_v2(request.getfixturevalue("simulator"))
    if "/ali/" in route.path:
        request.getfixturevalue("alipay")
    number = call(ROUTES[r"^rest/order/?$"][0]).json()["data"]["order_number"]
    event = event_of(paid_order(shop)).uid if "EVENT" in route.path else ""

    assert call(route, number=number, event=event).status_code == 200


def refundable(shop):
    """Return the number of document 000's order, paid by points alone."""
    grant(customer=shop.customer, amount_fen=500_000, reference="enough")
    return call(ROUTES[r"^api/checkout/pay/?$"][0]).json()["result"]["bb_trade_no"]


@routes("client")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": ""}, (401, "token_missing")),
        ({"token": "shop-token2"}, (401, "token_unknown")),
        ({"token": "shop-toke"}, (401, "token_unknown")),
        ({"token": "SHOP-TOKEN"}, (401, "token_unknown")),
        ({"token": "é\x00"}, (401, "token_unknown")),
        ({"secret": "rival-secret"}, (401, "sign_wrong")),
        ({"secret": ""}, (401, "sign_wrong")),
        ({"token": "rival-token"}, (401, "sign_wrong")),
    ],
    ids=str,
)
def test_who_does_not_prove_who_they_are_gets_nothing(shop, rival, route, change, code):
    if route.path.startswith("/english/") and change == {"token": ""}:  # there the app's sign is the other proof
        change, code = {"token": "", "secret": "rival-secret"}, (401, "sign_wrong")

    response = call(route, **change)

    assert (response.status_code, code_of(response)) == code
    assert response.headers["WWW-Authenticate"] == 'Token realm="onetill"'
    assert unmoved(shop, rival)


@routes("client")
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"is_active": False}, (401, "token_unknown")),
        ({"families": []}, (403, "family_not_served")),
        ({"allowed_networks": ["10.0.0.0/8"]}, (403, "network_not_allowed")),
    ],
    ids=["switched off", "of another family", "from elsewhere"],
)
def test_who_may_not_gets_nothing(shop, rival, route, fields, code):
    for name, value in fields.items():
        setattr(shop, name, value)
    shop.save()

    response = call(route)

    assert (response.status_code, code_of(response)) == code
    assert unmoved(shop, rival)


@routes("client")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "X-Client-IP"])
def test_no_header_makes_a_caller_one_of_a_private_network(shop, rival, route, header):
    shop.unsigned_from = ["10.0.0.0/8"]
    shop.allowed_networks = ["10.0.0.0/8"]
    shop.save()
    client = Client(headers={header: "10.0.0.1"})

    assert call(route, client=client).status_code == 403
    assert unmoved(shop, rival)


def unmoved(*clients):
    return Order.objects.count() == 0 and {points_fen(client.customer) for client in clients} == {13_128}


def test_the_orders_of_others_are_unknown_word_for_word(client, shop, rival):
    call(ROUTES[r"^api/checkout/pay/?$"][0])
    detail = ROUTES[r"^api/checkout/pay-detail/?$"][0]
    nobodys = Route("POST", detail.path, "client", {"out_trade_no": "99999999999"})

    others = call(detail, token="rival-token", secret="rival-secret")
    none = call(nobodys, token="rival-token", secret="rival-secret")

    assert (others.status_code, none.status_code) == (404, 404)
    assert others.content == none.content
    assert {name: others[name] for name in others.headers if name != "X-Request-ID"} == {
        name: none[name] for name in none.headers if name != "X-Request-ID"
    }


@pytest.mark.parametrize("name", ["detail", "cancel", "receive", "ship"])
def test_the_packs_of_others_are_unknown_word_for_word(shop, rival, name):
    path = f"/app/partner/order/{name}"
    number = partner.prepared(shop, path)
    route = ROUTES[rf"^app/partner/order/{name}/?$"][-1]
    before = list(PartnerOrder.objects.values())
    keys = {"token": "rival-token", "secret": "rival-secret"}

    theirs, none = call(route, number=number, **keys), call(route, number="2" * 27, **keys)

    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.content == none.content
    assert list(PartnerOrder.objects.values()) == before


@pytest.mark.parametrize("name", ["pay", "cancel"])
def test_the_purchases_of_others_are_unknown_word_for_word(shop, rival, name):
    path = f"/english/order/{name}"
    number = english.prepared(shop, path)
    before = list(EnglishOrder.objects.values())
    keys = {"token": "rival-token", "secret": "rival-secret"}

    for route in ROUTES[rf"^english/order/{name}/?$"]:
        theirs, none = call(route, number=number, **keys), call(route, number="2" * 20, **keys)

        assert (theirs.status_code, none.status_code) == (404, 404)
        assert theirs.content == none.content
    assert list(EnglishOrder.objects.values()) == before


@pytest.mark.parametrize("path", ["/api/checkout/refund/", "/api/checkout/close/", "/rest/refund", "/rest/close"])
def test_nobody_refunds_or_closes_the_orders_of_others(shop, rival, path):
    number = refundable(shop)
    [route] = [route for group in ROUTES.values() for route in group if route.path == path]
    nobodys = Route("POST", path, "client", route.params | {"out_trade_no": "99999999999"})
    keys = {"token": "rival-token", "secret": "rival-secret"}
    before = points_fen(shop.customer)

    theirs, none = call(route, number=number, **keys), call(nobodys, number="2018061500000000", **keys)

    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.content == none.content
    assert (Refund.objects.count(), Order.objects.get().status, points_fen(shop.customer)) == (
        0,
        "pay_finished",
        before,
    )


@pytest.mark.parametrize("path", ["/api/checkout/refund-detail/", "/rest/refund_detail"])
def test_the_refunds_of_others_are_unknown_word_for_word(shop, rival, path):
    call(ROUTES[r"^rest/refund/?$"][0], number=refundable(shop))
    keys = {"token": "rival-token", "secret": "rival-secret"}

    theirs = call(Route("POST", path, "client", {"refund_no": "r1"}), **keys)
    nobodys = call(Route("POST", path, "client", {"refund_no": "r2"}), **keys)

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.content == nobodys.content


def test_the_look_ups_of_others_find_nothing_word_for_word(shop, rival):
    order = call(ROUTES[r"^api/checkout/pay/?$"][0]).json()["result"]["bb_trade_no"]
    look_up, lists = ROUTES[r"^api/orders/(?P<number>[^/\x00]+)/?$"][0], (r"^api/orders/?$", r"^api/charges/?$")
    keys = {"token": "rival-token", "secret": "rival-secret"}

    theirs, nobodys = call(look_up, number=order, **keys), call(look_up, number="2018061500000000", **keys)

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.content == nobodys.content
    for pattern in lists:
        assert len(call(ROUTES[pattern][0]).json()["data"]["results"]) == 1
        assert call(ROUTES[pattern][0], **keys).json()["data"]["results"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [f"/api/customers/USER/{call}" for call in ("", "statement/", "grants/")])
def test_the_customers_of_others_are_unknown_word_for_word(shop, rival, method, path):
    make_customer(client=shop, user_id="only-theirs", ee_no="z")
    route = Route(method, path, "client", GRANT if method == "POST" else {})
    keys = {"token": "rival-token", "secret": "rival-secret"}

    theirs, nobodys = call(route, user="only-theirs", **keys), call(route, user="nobodys", **keys)

    assert theirs.status_code == nobodys.status_code in {404, 405}
    assert theirs.content == nobodys.content


def test_one_clients_number_is_free_for_another(shop, rival):
    pay = ROUTES[r"^api/checkout/pay/?$"][0]

    ours, theirs = call(pay), call(pay, token="rival-token", secret="rival-secret")

    assert (ours.status_code, theirs.status_code) == (200, 200)
    assert ours.json()["result"]["bb_trade_no"] != theirs.json()["result"]["bb_trade_no"]


FOREIGN = [
    {}, {"origin": "https://evil.example"}, {"origin": "null"}, {"referer": "https://evil.example/"},
    {"x-csrftoken": "a" * 32},
]  # fmt: skip


@routes("browser")
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_form_without_its_token_is_refused(shop, route, headers):
    order = call(ROUTES[r"^api/checkout/pay/?$"][0]).json()["result"]["bb_trade_no"]
    moved = Transfer.objects.count()

    response = call(route, number=order, token="", client=Client(enforce_csrf_checks=True, headers=headers))

    assert response.status_code == 403
    assert Transfer.objects.count() == moved
    assert Order.objects.get().charges.count() == 1


@routes("network")
def test_figures_are_for_our_own_networks(route):
    for address, status in (("10.1.2.3", 200), ("8.8.8.8", 404), ("", 404), ("unix:", 404)):
        assert Client(REMOTE_ADDR=address).get(route.path).status_code == status
    assert Client(REMOTE_ADDR="8.8.8.8", headers={"x-forwarded-for": "127.0.0.1"}).get(route.path).status_code == 404


@routes("network")
def test_a_proxy_that_nobody_told_us_of_lends_nobody_its_network(route):
    """The proxy stands in a private network, whom it forwards for does not."""
    client = Client(REMOTE_ADDR="127.0.0.1", headers={"x-forwarded-for": "8.8.8.8"})

    assert client.get(route.path).status_code == 404


CURSORS = [
    b"p=9223372036854775808", b"p=9999999999999999999", b"p=18446744073709551616", b"p=-1", b"p=x",
    b"p=1&o=99999999999",
    b"o=-1", b"r=1", b"r=x&p=1", b"p=%00", b"p=1&p=2", b"", b"\x00\xff", b"p=1.5", b"p=" + b"1" * 5_000,
]  # fmt: skip


PARTNER_LISTS = [f"/app/partner/{name}/list" for name in ("order", "gift", "coupon", "address")]
LISTS = pytest.mark.parametrize(
    "path",
    [
        "/api/customers/442090/statement/",
        "/api/orders/",
        "/api/charges/",
        "/api/webhooks/",
        *PARTNER_LISTS,
    ],
)


@LISTS
@pytest.mark.parametrize(
    "cursor", [*(base64.b64encode(text).decode() for text in CURSORS), "x", "====", "é", "%00", "-"]
)
def test_a_cursor_of_ones_own_making_is_refused_or_an_empty_page(shop, path, cursor):
    status, answer = a_list(path, cursor=cursor)

    assert status in {200, 400}
    assert status == 200 or answer["error_code"] == "unreadable_cursor"


@LISTS
@pytest.mark.parametrize("name", ["page_size", "kind", "direction", "cursor", "status", "created_from", "min_amount"])
@pytest.mark.parametrize("value", ["-1", "0", "1e9", "999999999999", "NaN", "x", "\x00", "'", "[]"])
def test_a_page_out_of_measure_is_refused_or_cut(shop, path, name, value):
    status, answer = a_list(path, **{name: value})

    assert status in {200, 400}
    assert len(answer.get("data", answer.get("result")).get("results", [])) <= 200


def a_list(path, **query):
    query |= {"timestamp": str(int(time.time()))} | ({"user_id": "442090"} if path in PARTNER_LISTS else {})
    query["sign"] = signing.sign(params=query, secret=SECRET, sign_type="MD5")
    headers = {"authorization": "Token shop-token"}
    response = Client().get(path, query, headers=headers)
    return response.status_code, response.json()


@routes("anybody", "nowhere", "network")
def test_what_anybody_may_see_tells_nothing_of_anybody(shop, route):
    order = call(ROUTES[r"^api/checkout/pay/?$"][0]).json()["result"]["bb_trade_no"]

    response = call(route, number=order, token="")

    assert response.status_code < 500
    text = response.content.decode()
    for personal in ("442090", "a09999", "13800138000", "李雷", "131.28", "shop-token", SECRET):
        if route.path not in {"/docs/", "/schema/", "/"}:  # the documents' own examples
            assert personal not in text
    assert not re.search(r"Traceback|psycopg|SELECT ", text)
