"""The plural that the console shows."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0020_kinds_of_providers")]

    operations = [migrations.AlterModelOptions(name="delivery", options={"verbose_name_plural": "deliveries"})]
