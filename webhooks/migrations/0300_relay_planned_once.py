"""Plan the relay's statements once per connection: a plan for these very events is dearer to make than to carry out."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0200_no_prefix_indexes")]

    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION webhooks_relay SET plan_cache_mode = force_generic_plan",
            "ALTER FUNCTION webhooks_relay RESET plan_cache_mode",
        )
    ]
