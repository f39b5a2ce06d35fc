"""The back-office: one module per noun. Money is looked at here, never touched."""

from payments.admin import (
    appointments,
    audit,
    charges,
    clients,
    customers,
    figures,
    gateways,
    inbox,
    ledger,
    orders,
    reconciliation,
    refund_batches,
    refunds,
    staff,
    webhooks,
)

__all__ = [
    "appointments",
    "audit",
    "charges",
    "clients",
    "customers",
    "figures",
    "gateways",
    "inbox",
    "ledger",
    "orders",
    "reconciliation",
    "refund_batches",
    "refunds",
    "staff",
    "webhooks",
]
