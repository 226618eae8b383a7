from pathlib import Path

from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ledger.controls import machines
        from reconciliation import measures, models, notices, schedule
        from webhooks import event_types

        machines.register(models.CloseRun, name="close", first="open")
        machines.register(models.ExceptionCase, name="exception_case", first="open")
        machines.register(models.StatementFile, name="statement_file", first="received")
        machines.register(models.StatementMatch, name="statement_match", first="standing")
        event_types.register(Path(__file__).parent / "schemas")
        schedule.register()
        notices.register()
        measures.register()
