"""
Staff find what is rare among millions: orders that wait or were closed, charges that failed, refunds of another kind.

Each index leaves out what nearly every row is, so that an order that points pay touches none of them. They are made
beside the running system.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0016_manual_deeds")]

    operations = [
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                condition=models.Q(("status", "pay_finished"), _negated=True),
                fields=["status", "-id"],
                name="order_by_status",
            ),
        ),
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                condition=models.Q(("kind", "goods"), _negated=True), fields=["kind", "-id"], name="order_by_kind"
            ),
        ),
        AddIndexConcurrently(
            model_name="charge",
            index=models.Index(
                condition=models.Q(("status", "succeeded"), _negated=True),
                fields=["status", "-id"],
                name="charge_by_status",
            ),
        ),
        AddIndexConcurrently(
            model_name="charge",
            index=models.Index(
                condition=models.Q(("tender", "points"), _negated=True),
                fields=["tender", "-id"],
                name="charge_by_tender",
            ),
        ),
        AddIndexConcurrently(
            model_name="transfer",
            index=models.Index(
                condition=models.Q(("kind__in", ("payment", "sale", "shipping")), _negated=True),
                fields=["kind", "-id"],
                name="transfer_by_kind",
            ),
        ),
        AddIndexConcurrently(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("kind", "order"), _negated=True), fields=["kind", "-id"], name="refund_by_kind"
            ),
        ),
        AddIndexConcurrently(
            model_name="inboundnotification",
            index=models.Index(
                condition=models.Q(("verdict", "accepted"), _negated=True),
                fields=["verdict", "-id"],
                name="notification_by_verdict",
            ),
        ),
    ]
