from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from reconciliation import models
        from ledger.controls import machines

        machines.register(models.CloseRun, name="close", first="open")
        machines.register(models.ExceptionCase, name="exception_case", first="open")
