from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ledger import expiry, fold, seals
        from ledger.chart import system_check  # noqa: F401  # registers itself
        from ledger.controls import machines
        from ledger.models import ChartVersion, GLMapping, PostingTemplate

        machines.register(ChartVersion, name="chart_version", first="draft")
        machines.register(GLMapping, name="gl_mapping", first="draft")
        machines.register(PostingTemplate, name="posting_template", first="draft")
        fold.register()
        expiry.register()
        seals.register()
