from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pathlib import Path

        from ledger.controls import machines
        from webhooks import delivery, event_types, gauges, models, relay

        machines.register(models.Delivery, name="delivery", first="pending")
        relay.register()
        delivery.register()
        gauges.register()
        event_types.register(Path(__file__).parent / "schemas")
