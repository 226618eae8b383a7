"""Guard the delivery's moves; give the application its rights."""

from django.db import migrations

from ledger.controls.grants import APPEND, CHANGE, grants
from ledger.controls.sql_files import append_only, guard_moves


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial"), ("ledger", "0003_grants")]

    operations = [
        guard_moves("webhooks_delivery", "delivery"),
        append_only("webhooks_deliveryattempt"),
        grants(
            {"webhooks_endpoint": CHANGE, "webhooks_delivery": CHANGE, "webhooks_deliveryattempt": APPEND},
        ),
    ]
