"""A saga advances an order or a return: its work row names its subject."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_one_open_case")]

    operations = [
        migrations.RenameField("sagarun", "order_reference", "subject"),
        migrations.AlterField(
            "sagarun",
            "subject",
            models.CharField(max_length=40, unique=True, help_text="the order or return that it advances"),
        ),
    ]
