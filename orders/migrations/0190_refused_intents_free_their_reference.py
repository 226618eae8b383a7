"""An intent that was refused before anything was held leaves its partner reference free.

Going back needs that no reference was used again.
"""

from django.db import migrations, models
from django.db.models import Case, F, Q, Value, When


class Migration(migrations.Migration):
    dependencies = [("orders", "0181_quotes_by_their_venues_id")]

    operations = [
        migrations.RemoveConstraint(model_name="intent", name="intent_partner_reference_once"),
        migrations.AddConstraint(
            model_name="intent",
            constraint=models.UniqueConstraint(
                "operator_id",
                "environment",
                "partner_reference",
                Case(When(state="failed", authorized_at__isnull=True, then=F("reference")), default=Value("")),
                condition=~Q(partner_reference=""),
                name="intent_partner_reference_once",
            ),
        ),
    ]
