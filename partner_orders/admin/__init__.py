"""The partner programme in the back-office: one module per noun."""

from partner_orders.admin import addresses, coupons, levels, orders, packs

__all__ = ["addresses", "coupons", "levels", "orders", "packs"]
