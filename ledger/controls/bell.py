"""The doorbell port: says that work of a kind may be due. It may be lost; the relay process is the net."""

from typing import Protocol, cast

from django.conf import settings
from django.db import transaction as db_transaction
from django.utils.module_loading import import_string


class Bell(Protocol):
    def ring(self, kind: str) -> None:
        """Wake a drain of this kind. Never raises, never waits long."""
        ...


class SilentBell:
    """Rings nothing: whoever drains, does so by itself (tests, simulation, commands)."""

    def ring(self, kind: str) -> None:
        return


_installed: Bell | None = None


def ring_after_commit(kind: str) -> None:
    """Ring once the present transaction has committed (at once outside one)."""
    db_transaction.on_commit(lambda: installed().ring(kind), robust=True)


def installed() -> Bell:
    global _installed
    if _installed is None:
        _installed = cast(Bell, import_string(settings.DOORBELL)())
    return _installed


def install(bell: Bell) -> None:
    global _installed
    _installed = bell
