"""The paths of APIv3, at the root of the site as on api.mch.weixin.qq.com."""

from django.urls import re_path

from payments.simulator.wechat.v3 import bills, methods
from payments.simulator.wechat.v3.gateway import download_bill, endpoint

NUMBER = r"(?P<out_trade_no>[^/]+)"

urlpatterns = [
    re_path(r"^v3/pay/transactions/(?P<product>native|jsapi|h5|app)$", endpoint("POST", "create", methods.create)),
    re_path(rf"^v3/pay/transactions/out-trade-no/{NUMBER}$", endpoint("GET", "query", methods.query)),
    re_path(rf"^v3/pay/transactions/out-trade-no/{NUMBER}/close$", endpoint("POST", "close", methods.close)),
    re_path(r"^v3/pay/transactions/id/(?P<transaction_id>[^/]+)$", endpoint("GET", "query", methods.query)),
    re_path(r"^v3/refund/domestic/refunds$", endpoint("POST", "refund", methods.refund)),
    re_path(
        r"^v3/refund/domestic/refunds/(?P<out_refund_no>[^/]+)$",
        endpoint("GET", "refund_query", methods.refund_query),
    ),
    re_path(r"^v3/bill/tradebill$", endpoint("GET", "bill", bills.trade_bill)),
    re_path(r"^v3/billdownload/file$", download_bill),
    re_path(r"^v3/certificates$", endpoint("GET", "certificates", methods.download_certificates)),
]
