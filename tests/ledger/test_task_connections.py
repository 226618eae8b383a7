"""A task's database connection: kept from task to task while it is sound, closed after a task that failed."""

from types import SimpleNamespace

import pytest
from celery import signals, states
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from config.celery import app

pytestmark = pytest.mark.usefixtures("database")

_TASK = SimpleNamespace(request=SimpleNamespace(is_eager=False))


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (number,) = cursor.fetchone()
    return int(number)


def _run(worker: DjangoWorkerFixup, *, state: str = states.SUCCESS) -> int:
    """Do what Celery does around a task; return the backend that the task had."""
    worker.on_task_prerun(_TASK)
    signals.task_prerun.send(sender=None)
    had = _backend()
    worker.on_task_postrun(_TASK)
    signals.task_postrun.send(sender=None, state=state)
    return had


def test_one_task_after_another_has_the_same_backend() -> None:
    worker = DjangoWorkerFixup(app)
    assert len({_run(worker) for _ in range(5)}) == 1


def test_a_failed_task_leaves_none() -> None:
    worker = DjangoWorkerFixup(app)
    first = _run(worker, state=states.FAILURE)
    assert connection.connection is None
    assert _run(worker) != first


def test_one_that_died_meanwhile_is_made_anew() -> None:
    worker = DjangoWorkerFixup(app)
    first = _run(worker)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    other.close()
    assert _run(worker) != first
