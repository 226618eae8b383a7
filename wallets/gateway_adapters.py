"""Gateway adapters by name, as the setting GATEWAYS says. Nobody imports one."""

from functools import cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from wallets.gateway_port import PayoutChannel, WalletGateway


class NoSuchAdapter(Exception):
    """The setting GATEWAYS names no adapter of that name."""


def adapter(name: str) -> WalletGateway:
    """Return the adapter of that name. Raises NoSuchAdapter."""
    path = settings.GATEWAYS.get(name)
    if path is None:
        raise NoSuchAdapter(f"GATEWAYS has no adapter {name!r}.")
    return _made(path)


def channel_adapter(name: str) -> PayoutChannel:
    """Return the adapter of that name, which pays out. Raises NoSuchAdapter."""
    return cast(PayoutChannel, adapter(name))


@cache
def _made(path: str) -> WalletGateway:
    """Adapters keep no state of a question, so that one of each is enough for every thread."""
    return cast(WalletGateway, import_string(path)())
