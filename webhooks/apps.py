from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from webhooks import models
        from ledger.controls import machines

        machines.register(models.Delivery, name="delivery", first="pending")
