"""What goes out: the documents' keys, their spelling and their types, 35 of an order."""

import datetime
from typing import Any

from partner_orders import queries
from partner_orders.models import Address, CustomerCoupon, GiftPack, PartnerOrder
from partner_orders.states import wire_status
from payments.money import yuan_number
from payments.wire import clock

ORDER_TYPE_GIFT_PACK = 1  # the document knows no other


def order_info(document: PartnerOrder) -> dict[str, Any]:
    """Return an order as document 002 shows it: `order_receieve_phone` keeps its typo."""
    order, customer = document.order, document.order.customer
    payment = queries.payment(document)
    return {
        "order_no": order.number,
        "gift_pos_id": document.pack.uid,
        "order_express_time_stamp": stamp(document.shipped_at),
        "bill_no": payment.number if payment else "",
        "order_time": clock(order.created_at),
        "order_name": document.order_name,
        "user_id_no": "",  # nobody's identity card is kept here
        "gift_title": document.pack_title,
        "order_status": int(wire_status(status=order.status, delivery=document.delivery)),
        "coupon_id": document.coupon.uid if document.coupon else "",
        "order_express_number": document.express_number,
        "user_phone": document.user_phone,
        "pay_type": document.pay_type,
        "order_time_stamp": stamp(order.created_at),
        "id": document.uid,
        "order_type": ORDER_TYPE_GIFT_PACK,
        "user_level_id": document.level_before,
        "order_express_name": document.express_name,
        "order_express_time": clock(document.shipped_at),
        "order_receieve_phone": document.receive_phone,
        "receive_time": clock(document.received_at),
        "order_price": yuan_number(document.price_fen),
        "order_desc": document.description,
        "order_express_address": document.express_address,
        "order_pay_time": clock(order.finished_at),
        "order_receieve_name": document.receive_name,
        "platform_remark": document.remark,
        "order_score": document.score,
        "deduct_price": yuan_number(document.deduct_fen),
        "user_id": customer.user_id,
        "user_real_name": document.user_real_name,
        "order_receieve_address": document.receive_address,
        "third_order_no": payment.gateway_trade_no if payment else "",
        "order_pay_time_stamp": stamp(order.finished_at),
        "order_express_no": document.express_code,
    }


def gift_pack(pack: GiftPack) -> dict[str, Any]:
    return {
        "gift_pos_id": pack.uid,
        "gift_title": pack.title,
        "gift_desc": pack.description,
        "gift_price": yuan_number(pack.price_fen),
        "gift_stock": pack.stock,
        "gift_score": pack.score,
        "user_level_id": pack.level.code if pack.level else "",
    }


def coupon(own: CustomerCoupon, *, at: datetime.datetime) -> dict[str, Any]:
    """Return a coupon of `queries.coupons` as its owner sees it."""
    terms = own.coupon
    return {
        "coupon_id": own.uid,
        "coupon_title": terms.title,
        "deduct_price": yuan_number(terms.off_fen),
        "min_price": yuan_number(terms.min_price_fen),
        "valid_from": terms.valid_from.isoformat(),
        "valid_until": terms.valid_until.isoformat(),
        "coupon_status": queries.coupon_state(own, at=at).value,
    }


def address(kept: Address) -> dict[str, Any]:
    return {
        "address_id": kept.pk,
        "name": kept.name,
        "phone": kept.phone,
        "address": kept.address,
        "is_default": int(kept.is_default),
    }


def stamp(at: datetime.datetime | None) -> int:
    """Return a time in Unix milliseconds, 0 where nothing has happened."""
    return int(at.timestamp() * 1_000) if at else 0
