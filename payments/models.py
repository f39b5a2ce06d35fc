"""Every model of payments: the one import path for others."""

from payments.audit import AuditRow
from payments.charges.models import Charge
from payments.clients.models import ApiClient
from payments.customers.models import Customer
from payments.gateways.models import GatewayAccount
from payments.inbox.models import InboundNotification
from payments.ledger.models import Account, Transfer
from payments.orders.models import Order, OrderTransition

__all__ = [
    "Account",
    "ApiClient",
    "AuditRow",
    "Charge",
    "Customer",
    "GatewayAccount",
    "InboundNotification",
    "Order",
    "OrderTransition",
    "Transfer",
]
