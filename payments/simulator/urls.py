from django.urls import path, re_path

from payments.simulator import control
from payments.simulator.alipay import control as alipay_control
from payments.simulator.alipay.gateway import gateway
from payments.simulator.control import endpoint
from payments.simulator.pages import cashier, home

NUMBER = r"(?P<out_trade_no>[^/]+)"

urlpatterns = [
    path("", home.overview, name="home"),
    path("trades/<int:trade_id>/", home.show_trade, name="trade"),
    path("trades/<int:trade_id>/act", home.act_on_trade, name="act-on-trade"),
    path("notifications/<int:notification_id>/resend", home.resend, name="resend"),
    path("faults/arm", home.arm_fault, name="arm-fault"),
    path("faults/clear", home.clear_faults, name="clear-faults"),
    path("app/", home.open_order_string, name="app"),
    path("qr/<str:token>", cashier.show, name="qr"),
    path("cashier/<str:token>", cashier.show, name="cashier"),
    path("cashier/<str:token>/pay", cashier.pay, name="cashier-pay"),
    path("cashier/<str:token>/decline", cashier.decline, name="cashier-decline"),
    re_path(r"^alipay/gateway\.do/?$", gateway, name="alipay-gateway"),
    re_path(r"^control/trades/?$", endpoint(GET=control.list_trades)),
    re_path(rf"^control/trades/{NUMBER}/(?P<action>open|pay|close|finish)/?$", endpoint(POST=control.act_on_trade)),
    re_path(rf"^control/trades/{NUMBER}/?$", endpoint(GET=control.show_trade)),
    re_path(r"^control/notifications/?$", endpoint(GET=control.list_notifications)),
    re_path(
        r"^control/notifications/(?P<notification_id>[0-9]+)/resend/?$", endpoint(POST=control.resend_notification)
    ),
    re_path(
        r"^control/faults/?$",
        endpoint(GET=control.list_faults, POST=control.arm_fault, DELETE=control.clear_faults),
    ),
    re_path(
        r"^control/merchants/?$", endpoint(GET=alipay_control.list_merchants, POST=alipay_control.register_merchant)
    ),
    re_path(r"^control/app/?$", endpoint(POST=alipay_control.use_app)),
    re_path(r"^control/book/?$", endpoint(DELETE=control.clear_book)),
]
