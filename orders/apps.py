from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pathlib import Path

        from ledger.controls import machines
        from orders import models, operation_news, streams
        from orders.operations import expire_quotes
        from orders.sagas import runner
        from webhooks import event_types

        machines.register(models.Quote, name="quote", first="active")
        machines.register(models.Order, name="order", first="queued")
        machines.register(models.Trade, name="trade", first="reserved")
        machines.register(models.ReviewCase, name="review_case", first="open")
        expire_quotes.register()
        runner.register()
        streams.register()
        event_types.register(Path(__file__).parent / "schemas")
        operation_news.register()
