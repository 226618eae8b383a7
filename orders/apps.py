from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pathlib import Path

        from ledger.controls import machines
        from orders import models, operation_news, payout_news, streams, venue_news, wallet_postings
        from orders.operations import (
            cancel_unconfirmed,
            drive_stale,
            expire_quotes,
            hear_contradiction,
            open_return,
            read_returns,
            start_payout,
        )
        from orders.pay_ins import hearing
        from orders.sagas import releasing, runner
        from webhooks import event_types

        machines.register(models.Quote, name="quote", first="active")
        machines.register(models.Order, name="order", first="queued")
        machines.register(models.Trade, name="trade", first="reserved")
        machines.register(models.Return, name="return", first="open")
        machines.register(models.ReviewCase, name="review_case", first="open")
        machines.register(models.Market, name="market", first="open")
        machines.register(models.Intent, name="intent", first="created")
        machines.register(models.Payout, name="payout", first="reserved")
        machines.register(models.PayIn, name="pay_in", first="booked")
        expire_quotes.register()
        open_return.register()
        hear_contradiction.register()
        runner.register()
        releasing.register()
        hearing.register()
        operation_news.register()
        venue_news.register()
        payout_news.register()
        start_payout.register()
        cancel_unconfirmed.register()
        read_returns.register()
        streams.register()
        wallet_postings.register()
        event_types.register(Path(__file__).parent / "schemas")
        drive_stale.register()
