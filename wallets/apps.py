from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "wallets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ledger.controls import machines
        from wallets import gateway_gauges, models, rates, rule_failures

        machines.register(models.RemoteOperation, name="remote_operation", first="prepared")
        machines.register(models.FeeRule, name="fee_rule", first="draft")
        machines.register(models.LimitRule, name="limit_rule", first="draft")
        rates.register()
        rule_failures.register()
        gateway_gauges.register()
