"""What the console calls a pay-in."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0060_settled_in_one_call")]

    operations = [
        migrations.AlterModelOptions("payin", {"verbose_name": "pay-in", "verbose_name_plural": "pay-ins"}),
    ]
