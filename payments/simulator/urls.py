from django.urls import include, path, re_path

from payments.simulator import bill_control, control, registration
from payments.simulator.alipay import control as alipay_control
from payments.simulator.alipay.gateway import download_bill, gateway
from payments.simulator.control import endpoint
from payments.simulator.pages import cashier, home
from payments.simulator.pages import wechat as wechat_pages
from payments.simulator.wechat import control as wechat_control
from payments.simulator.wechat import oauth
from payments.simulator.wechat.v2.gateway import gateway as wechat_v2
from payments.simulator.wechat.v2.methods import CALLS

NUMBER = r"(?P<out_trade_no>[^/]+)"

urlpatterns = [
    path("", home.overview, name="home"),
    path("trades/<int:trade_id>/", home.show_trade, name="trade"),
    path("trades/<int:trade_id>/act", home.act_on_trade, name="act-on-trade"),
    path("trades/<int:trade_id>/refund", home.refund_trade, name="refund-trade"),
    path("notifications/<int:notification_id>/resend", home.resend, name="resend"),
    path("faults/arm", home.arm_fault, name="arm-fault"),
    path("faults/clear", home.clear_faults, name="clear-faults"),
    path("app/", home.open_order_string, name="app"),
    path("qr/<str:token>", cashier.show, name="qr"),
    path("cashier/<str:token>", cashier.show, name="cashier"),
    path("cashier/<str:token>/pay", cashier.pay, name="cashier-pay"),
    path("cashier/<str:token>/decline", cashier.decline, name="cashier-decline"),
    re_path(r"^alipay/gateway\.do/?$", gateway, name="alipay-gateway"),
    path("alipay/downloadBillFile.resource", download_bill),
    path("wechat/scan/", wechat_pages.scan, name="wechat-scan"),
    path("wechat/jsapi/", wechat_pages.jsapi, name="wechat-jsapi"),
    path("wechat/h5/", wechat_pages.h5, name="wechat-h5"),
    path("connect/oauth2/authorize", oauth.authorize),
    path("sns/oauth2/access_token", oauth.access_token),
    re_path(rf"^(?P<call>{'|'.join(CALLS)})$", wechat_v2),
    path("", include("payments.simulator.wechat.v3.urls")),
    re_path(r"^control/trades/?$", endpoint(GET=control.list_trades)),
    re_path(rf"^control/trades/{NUMBER}/(?P<action>open|pay|close|finish|age)/?$", endpoint(POST=control.act_on_trade)),
    re_path(rf"^control/trades/{NUMBER}/refund/?$", endpoint(POST=control.refund_trade)),
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
        r"^control/bills/?$",
        endpoint(
            GET=bill_control.list_differences,
            POST=bill_control.order_differences,
            DELETE=bill_control.clear_differences,
        ),
    ),
    re_path(r"^control/merchants/?$", endpoint(GET=registration.list_merchants, POST=registration.register_merchant)),
    re_path(r"^control/wechat/scan/?$", endpoint(POST=wechat_control.scan)),
    re_path(r"^control/wechat/call/?$", endpoint(POST=wechat_control.call)),
    re_path(r"^control/app/?$", endpoint(POST=alipay_control.use_app)),
    re_path(r"^control/book/?$", endpoint(DELETE=control.clear_book)),
]
