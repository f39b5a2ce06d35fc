"""Every model of payments: the one import path for others."""

from payments.audit import AuditRow
from payments.charges.models import Charge
from payments.clients.models import ApiClient
from payments.customers.models import Customer
from payments.direct.models import Appointment
from payments.exports.models import Export, ExportPart
from payments.figures.models import DayFigure
from payments.gateways.models import GatewayAccount, GatewayDefault
from payments.inbox.models import InboundNotification
from payments.ledger.models import Account, Transfer
from payments.manual.models import HandConfirmation, ValueRequest
from payments.orders.models import Order, OrderTransition
from payments.outbox.models import DeliveryAttempt, OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.reconciliation.models import BillLine, Difference, GatewayBill
from payments.refunds.batch_models import RefundBatch, RefundBatchLine
from payments.refunds.models import Refund, RefundLeg
from payments.staff.models import Authenticator, StaffMember, StaffSession

__all__ = [
    "Account",
    "ApiClient",
    "Appointment",
    "AuditRow",
    "Authenticator",
    "BillLine",
    "Charge",
    "Customer",
    "DayFigure",
    "DeliveryAttempt",
    "Difference",
    "Export",
    "ExportPart",
    "GatewayAccount",
    "GatewayBill",
    "GatewayDefault",
    "HandConfirmation",
    "InboundNotification",
    "Order",
    "OrderTransition",
    "OutboxEvent",
    "Refund",
    "RefundBatch",
    "RefundBatchLine",
    "RefundLeg",
    "StaffMember",
    "StaffSession",
    "Transfer",
    "ValueRequest",
    "WebhookDelivery",
    "WebhookEndpoint",
]
