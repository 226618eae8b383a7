from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ledger.controls import machines
        from orders import models
        from orders.operations import expire_quotes, open_return
        from orders.sagas import runner

        machines.register(models.Quote, name="quote", first="active")
        machines.register(models.Order, name="order", first="queued")
        machines.register(models.Trade, name="trade", first="reserved")
        machines.register(models.Return, name="return", first="open")
        machines.register(models.ReviewCase, name="review_case", first="open")
        expire_quotes.register()
        open_return.register()
        runner.register()
