"""The Celery application. Its tasks live in each app's ``tasks.py``."""

import os
import signal

from celery import Celery
from celery.signals import setup_logging, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def keep_the_settings_logging(**_: object) -> None:
    """Keep Celery from replacing the logging that the settings configured."""


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def end_with_the_worker(**_: object) -> None:
    """Have a pool process of the local stack end when its worker is killed hard."""
    if os.environ.get("HOLDFAST_LOCAL"):
        from config.local.processes import die_with_parent

        die_with_parent(signal.SIGKILL)
