"""So that staff find an order by the number of a refund that was made at the gateway's console."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0014_refund_batches")]

    operations = [
        migrations.AddIndex(
            model_name="refundleg",
            index=models.Index(
                condition=models.Q(("foreign_number", ""), _negated=True),
                fields=["foreign_number"],
                name="refund_leg_by_foreign_number",
            ),
        ),
    ]
