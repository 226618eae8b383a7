"""The Celery application. Its tasks live in each app's ``tasks.py``."""

import os
import signal

from celery import Celery
from celery.app.task import Task
from celery.signals import setup_logging, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def keep_the_settings_logging(**_: object) -> None:
    """Keep Celery from replacing the logging that the settings configured."""


@task_prerun.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def let_the_next_bell_ring(*, task: Task, kwargs: dict[str, str], **_: object) -> None:
    """Take the bell's key away before its drain begins, so that a row due from now on rings again."""
    from config.doorbell import TASK, answered

    if task.name == TASK:
        answered(kwargs["kind"])


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery's signals are untyped
def end_with_the_worker(**_: object) -> None:
    """Have a pool process of the local stack end when its worker is killed hard."""
    if os.environ.get("HOLDFAST_LOCAL"):
        from config.local.processes import die_with_parent

        die_with_parent(signal.SIGKILL)
