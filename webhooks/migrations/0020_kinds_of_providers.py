"""A provider says which kinds of news it may bring. Those that there are keep what they are for, and what was applied of them."""

from typing import Any, Final

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_BY_SUBJECTS: Final = {
    ("data.idempotency_key",): ["operation.updated"],  # an operator's wallet service
    ("data.transact_id", "data.quote_id"): ["trade.*"],  # a venue
}
_PAYMENTS: Final = ["payout.updated", "payout.returned"]  # a payout channel
_COLLECTIONS: Final = ["payin.*"]  # a payment provider: it names its transactions


def _keep(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    event = apps.get_model("webhooks", "InboundEvent")
    for provider in apps.get_model("webhooks", "Provider").objects.all():
        applied = event.objects.filter(provider_id=provider.pk, state="applied").values_list("kind", flat=True)
        provider.kinds = sorted({*_usual(provider.mapping), *applied.distinct()})
        provider.save(update_fields=["kinds"])


def _usual(mapping: dict[str, Any]) -> list[str]:
    if mapping.get("transaction") == "data.return_id":
        return _PAYMENTS
    if mapping.get("transaction"):
        return _COLLECTIONS
    return _BY_SUBJECTS.get(tuple(mapping.get("subjects", ())), [])


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0012_fields_of_providers")]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="kinds",
            field=models.JSONField(
                default=list,
                help_text="which kinds of news it may bring: payin.collected, a family as payin.*, or * for all",
            ),
        ),
        migrations.RunPython(_keep, migrations.RunPython.noop),
    ]
