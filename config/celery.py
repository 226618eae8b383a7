"""The Celery application. Its tasks live in each app's ``tasks.py``."""

import os
import signal

from celery import Celery, states
from celery.signals import setup_logging, task_postrun, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def keep_the_settings_logging(**_: object) -> None:
    """Keep Celery from replacing the logging that the settings configured."""


@task_prerun.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def keep_connections_as_a_request_does(**_: object) -> None:
    """Give up what is broken or too old; what is sound stays open from task to task (decision 0200)."""
    from django.db import close_old_connections

    close_old_connections()


@task_postrun.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def leave_no_connection_of_a_failed_task(state: str = "", **_: object) -> None:
    """Close what a failed task had open: a time limit may have stopped it anywhere."""
    from django.db import connections

    if state != states.SUCCESS:
        connections.close_all()


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def end_with_the_worker(**_: object) -> None:
    """Have a pool process of the local stack end when its worker is killed hard."""
    if os.environ.get("HOLDFAST_LOCAL"):
        from config.local.processes import die_with_parent

        die_with_parent(signal.SIGKILL)
