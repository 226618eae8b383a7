"""A payment may come back in parts: each is a return of its own. That it is never more than was paid is decided under its lock."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0080_quote_margins")]

    operations = [migrations.RemoveConstraint(model_name="return", name="return_of_payout_once")]
