"""Every address we answer at: who may call it, and a good call of it."""

from dataclasses import dataclass

from tests.checkout.test_documents import PAY
from tests.partner_orders.world import PACK_UID


@dataclass(frozen=True)
class Route:
    """`path` and `params` with NUMBER and USER to be filled in; `params` of a good call where a client may make one."""

    method: str
    path: str
    who: str  # client, anybody, gateway, staff, browser (a form with a CSRF token)
    params: dict | None = None


PROFILE = {"ee_no": "a09999", "phone": "13800138000", "real_name": "李雷"}
GRANT = {"grant_no": "g1", "kind": "points", "direction": "in", "amount": "1"}
ORDER = {"order_type": "Order", "user_id": "442090", "title": "DEMO", "total_amount": "11.1"}
PUSH = {"order_type": "Order", "order_number": "NUMBER"}
REFUND = {"refund_no": "r1", "goods_amount": "1"}
USER = {"user_id": "442090"}
OF_ORDER = USER | {"order_no": "NUMBER"}
ADDRESS_ID = 777_000_001  # no sequence comes there
BUY = USER | {"pay_type": 1, "gift_pos_id": PACK_UID, "coupon_id": "", "address_id": ADDRESS_ID}
PARCEL = {"order_no": "NUMBER", "order_express_name": "顺丰速运", "order_express_number": "SF1641549475356"}
RECIPIENT = USER | {"name": "李雷", "phone": "13800138000", "address": "上海市", "is_default": 1}
GOOD_ID = 777_000_002
GOODS = USER | {"goods_list": f'[{{"good_id": {GOOD_ID}, "num": 1}}]'}
LEARN = GOODS | {"title": "会员购买", "price_total": "29", "money": "29", "pay_way_name": "alipay"}
OF_PURCHASE = USER | {"order_sn": "NUMBER"}
NAMED = {"out_trade_no": PAY["out_trade_no"]}


def both(path, params):
    return [Route(method, path, "client", params) for method in ("GET", "POST")]


# pattern: its case
ROUTES = {
    r"^api/checkout/pay/?$": [Route("POST", "/api/checkout/pay/", "client", PAY)],
    r"^api/checkout/pay-detail/?$": [
        Route("POST", "/api/checkout/pay-detail/", "client", NAMED)
    ],
    r"^api/checkout/refund/?$": [Route("POST", "/api/checkout/refund/", "client", NAMED | REFUND)],
    r"^api/checkout/refund-detail/?$": [Route("POST", "/api/checkout/refund-detail/", "client", {"refund_no": "r1"})],
    r"^api/checkout/close/?$": [Route("POST", "/api/checkout/close/", "client", NAMED)],
    r"^api/checkout/": [Route("POST", "/api/checkout/nothing/", "nowhere")],
    "api_login/": [Route("GET", "/api_login/", "anybody"), Route("POST", "/api_login/", "browser")],
    "api_login": [Route("GET", "/api_login", "anybody"), Route("POST", "/api_login", "browser")],
    r"^checkout/pay/(?P<number>[0-9A-Za-z]{1,28})/$": [
        Route("GET", "/checkout/pay/NUMBER/", "anybody"), Route("POST", "/checkout/pay/NUMBER/", "browser")
    ],
    r"^checkout/pay/(?P<number>[0-9A-Za-z]{1,28})$": [
        Route("GET", "/checkout/pay/NUMBER", "anybody"), Route("POST", "/checkout/pay/NUMBER", "browser")
    ],
    r"^checkout/pay/(?P<number>[0-9A-Za-z]{1,28})/status/?$": [
        Route("GET", "/checkout/pay/NUMBER/status", "anybody"), Route("POST", "/checkout/pay/NUMBER/status", "browser")
    ],
    r"^api/customers/(?P<user_id>[^/\x00]+)/?$": [
        Route("GET", "/api/customers/USER/", "client", {}), Route("PUT", "/api/customers/USER/", "client", PROFILE)
    ],
    r"^api/customers/(?P<user_id>[^/\x00]+)/grants/?$": [Route("POST", "/api/customers/USER/grants/", "client", GRANT)],
    r"^api/customers/(?P<user_id>[^/\x00]+)/statement/?$": [
        Route("GET", "/api/customers/USER/statement/", "client", {})
    ],
    r"^api/orders/?$": [Route("GET", "/api/orders/", "client", {})],
    r"^api/orders/(?P<number>[^/\x00]+)/?$": [Route("GET", "/api/orders/NUMBER/", "client", {})],
    r"^api/charges/?$": [Route("GET", "/api/charges/", "client", {})],
    r"^api/webhooks/?$": [Route("GET", "/api/webhooks/", "client", {})],
    r"^api/webhooks/(?P<event_id>[^/\x00]+)/redeliver/?$": [
        Route("POST", "/api/webhooks/EVENT/redeliver/", "client", {})
    ],
    r"^api/(?:customers|orders|charges|webhooks)/": [Route("POST", "/api/customers//", "nowhere")],
    r"^app/partner/order/pay/?$": [Route("POST", "/app/partner/order/pay", "client", BUY)],
    r"^app/partner/order/list/?$": both("/app/partner/order/list", USER),
    r"^app/partner/order/detail/?$": both("/app/partner/order/detail", OF_ORDER),
    r"^app/partner/order/cancel/?$": [Route("POST", "/app/partner/order/cancel", "client", OF_ORDER)],
    r"^app/partner/order/receive/?$": [Route("POST", "/app/partner/order/receive", "client", OF_ORDER)],
    r"^app/partner/order/ship/?$": [Route("POST", "/app/partner/order/ship", "client", PARCEL)],
    r"^app/partner/gift/list/?$": both("/app/partner/gift/list", {}),
    r"^app/partner/coupon/list/?$": both("/app/partner/coupon/list", USER),
    r"^app/partner/address/list/?$": both("/app/partner/address/list", USER),
    r"^app/partner/address/add/?$": [Route("POST", "/app/partner/address/add", "client", RECIPIENT)],
    r"^app/partner/address/change/?$": [
        Route("POST", "/app/partner/address/change", "client", RECIPIENT | {"address_id": ADDRESS_ID})
    ],
    r"^app/partner/address/delete/?$": [
        Route("POST", "/app/partner/address/delete", "client", USER | {"address_id": ADDRESS_ID})
    ],
    r"^app/partner/": [Route("POST", "/app/partner/nothing", "nowhere")],
    r"^english/order/payWay/?$": both("/english/order/payWay", {}),
    r"^english/order/lists/?$": both("/english/order/lists", USER),
    r"^english/order/submitGoodsOrder/?$": both("/english/order/submitGoodsOrder", GOODS),
    r"^english/order/init/?$": both("/english/order/init", LEARN),
    r"^english/order/pay/?$": both("/english/order/pay", OF_PURCHASE),
    r"^english/order/cancel/?$": both("/english/order/cancel", OF_PURCHASE),
    r"^english/": [Route("POST", "/english/nothing", "nowhere")],
    r"^rest/order/?$": [Route("POST", "/rest/order", "client", ORDER)],
    r"^rest/wx/push_order/?$": [Route("POST", "/rest/wx/push_order", "client", PUSH | {"type": "NATIVE"})],
    r"^rest/ali/push_order/?$": [Route("POST", "/rest/ali/push_order", "client", PUSH | {"type": "APP"})],
    r"^rest/refund/?$": [Route("POST", "/rest/refund", "client", {"order_number": "NUMBER"} | REFUND)],
    r"^rest/refund_detail/?$": [Route("POST", "/rest/refund_detail", "client", {"refund_no": "r1"})],
    r"^rest/close/?$": [Route("POST", "/rest/close", "client", {"order_number": "NUMBER"})],
    r"^rest/": [Route("POST", "/rest/nothing", "nowhere")],
    r"^rest/pub/wx/pay_notify/?$": [Route("POST", "/rest/pub/wx/pay_notify", "gateway")],
    r"^rest/pub/ali/pay_notify/?$": [Route("POST", "/rest/pub/ali/pay_notify", "gateway")],
    r"^app/payment/wpay/(?P<number>[0-9A-Za-z]{1,28})/$": [
        Route("GET", "/app/payment/wpay/NUMBER/", "anybody"), Route("POST", "/app/payment/wpay/NUMBER/", "browser")
    ],
    r"^app/payment/wpay/(?P<number>[0-9A-Za-z]{1,28})$": [
        Route("GET", "/app/payment/wpay/NUMBER", "anybody"), Route("POST", "/app/payment/wpay/NUMBER", "browser")
    ],
    r"^app/payment/wpay/(?P<number>[0-9A-Za-z]{1,28})/status/?$": [
        Route("GET", "/app/payment/wpay/NUMBER/status", "anybody"),
        Route("POST", "/app/payment/wpay/NUMBER/status", "browser"),
    ],
    r"^app/payment/wpay/[^/]*/?$": [
        Route("GET", "/app/payment/wpay/order-number?order_number=NUMBER", "anybody"),
        Route("POST", "/app/payment/wpay/order-number?order_number=NUMBER", "browser"),
    ],
    r"^healthz/?$": [Route("GET", "/healthz", "anybody")],
    r"^readyz/?$": [Route("GET", "/readyz", "anybody")],
    r"^metrics/?$": [Route("GET", "/metrics", "network")],
    r"^schema/?$": [Route("GET", "/schema/", "anybody")],
    r"^docs/?$": [Route("GET", "/docs/", "anybody")],
    "": [Route("GET", "/", "anybody"), Route("POST", "/", "browser")],
    "favicon.ico": [Route("GET", "/favicon.ico", "anybody")],
    "i18n/setlang/": [Route("POST", "/i18n/setlang/", "browser")],
    "admin": [Route("GET", "/admin", "anybody")],
}  # fmt: skip
