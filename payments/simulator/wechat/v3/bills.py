"""APIv3's bill: a signed answer that says where the file is and what its SHA-1 is. The file itself goes unsigned."""

import datetime
import hashlib
from typing import Any
from urllib.parse import urlencode

from payments.simulator import bills
from payments.simulator.faults import Strike
from payments.simulator.models import Merchant
from payments.simulator.wechat import bill
from payments.simulator.wechat.v3.refusals import Refusal, parameter, resource_not_exists
from payments.simulator.wechat.v3.requests import Request

ADDRESS_LIVES = datetime.timedelta(minutes=5)


def trade_bill(request: Request, strike: Strike) -> dict[str, Any]:
    """
    Make the bill of a day, of all trades, unpacked: the one kind that is played here.

    :raises Refusal: PARAM_ERROR, NO_STATEMENT_EXIST, STATEMENT_CREATING
    """
    if request.query.get("bill_type", "ALL") != "ALL":
        raise parameter("query", "bill_type", "枚举规则校验失败，模拟网关只支持ALL")
    if request.query.get("tar_type"):
        raise parameter("query", "tar_type", "枚举规则校验失败，模拟网关不支持压缩")
    try:
        day = datetime.datetime.strptime(request.query.get("bill_date", ""), "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise parameter("query", "bill_date", "格式校验失败，格式为yyyy-MM-dd") from error
    try:
        content = bill.write(merchant=request.merchant, day=day, strike=strike)
    except bill.NoBill as error:
        raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在") from error
    except bill.BeingMade as error:
        raise Refusal(400, "STATEMENT_CREATING", "账单生成中") from error
    kept = bills.keep_file(merchant=request.merchant, content=content)
    return {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "download_url": f"{request.public_url}/v3/billdownload/file?{urlencode({'token': kept.token})}",
    }


def content(merchant: Merchant, token: str) -> bytes:
    """:raises Refusal: RESOURCE_NOT_EXISTS, also where it was made for another merchant"""
    kept = bills.file(token, lives=ADDRESS_LIVES)
    if kept is None or kept.merchant_id != merchant.pk:
        raise resource_not_exists("账单文件不存在或下载地址已失效")
    return bytes(kept.content)
