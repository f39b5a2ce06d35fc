"""Staff find an order by what stands on its parcel: the tracking number, the recipient's phone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("partner_orders", "0002_what_the_database_refuses")]

    operations = [
        migrations.AddIndex(
            model_name="partnerorder",
            index=models.Index(
                condition=models.Q(("express_number", ""), _negated=True),
                fields=["express_number"],
                name="partner_order_tracked",
            ),
        ),
        migrations.AddIndex(
            model_name="partnerorder",
            index=models.Index(fields=["receive_phone"], name="partner_order_recipient"),
        ),
    ]
