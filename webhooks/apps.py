from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pathlib import Path

        from ledger.controls import machines
        from webhooks import (
            delivery,
            event_archive,
            event_types,
            gauges,
            inbox_gauges,
            inbox_worker,
            models,
            relay,
        )

        machines.register(models.Delivery, name="delivery", first="pending")
        machines.register(models.InboundEvent, name="inbound_event", first="received")
        relay.register()
        delivery.register()
        gauges.register()
        event_types.register(Path(__file__).parent / "schemas")
        inbox_worker.register()
        inbox_gauges.register()
        event_archive.register()
