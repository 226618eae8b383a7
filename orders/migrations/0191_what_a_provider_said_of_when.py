"""A pay-in keeps when it happened in its provider's own words."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0190_refused_intents_free_their_reference")]

    operations = [
        migrations.AddField(
            model_name="payin",
            name="occurred_said",
            field=models.CharField(default="", help_text="when, in the provider's own words", max_length=64),
        ),
        migrations.AlterField(
            model_name="payin",
            name="occurred_at",
            field=models.DateTimeField(help_text="as the provider says, if credible; else when we were told"),
        ),
    ]
