"""The ground floor's reference rows: assets, books, legal moves, the baseline. Loading them again changes nothing."""

from django.conf import settings

from ledger.chart.restore import restore
from ledger.controls import clock, machines
from ledger.environments import Environment
from ledger.models import Asset, Book, LegalMove

_ASSETS = (
    ("EUR", "Euro", 2),
    ("USD", "US dollar", 2),
    ("THB", "Thai baht", 2),
    ("JPY", "Japanese yen", 0),
    ("KWD", "Kuwaiti dinar", 3),
    ("USDT", "Tether", 6),
    ("ETH", "Ether", 18),
    ("YES", "Shares of an outcome: yes", 2),
    ("NO", "Shares of an outcome: no", 2),
)
_REPORTING_ASSET = "EUR"


def load() -> None:
    """Insert what is missing, as the tables' owner."""
    for code, name, scale in _ASSETS:
        Asset.objects.get_or_create(code=code, defaults={"name": name, "scale": scale})
    for environment in Environment:
        Book.objects.get_or_create(
            environment=environment,
            defaults={"reporting_asset_id": _REPORTING_ASSET, "close_zone": settings.CLOSE_ZONE},
        )
    declared = {(machine.name, *edge) for machine in machines.every() for edge in machine.edges()}
    stored = set(LegalMove.objects.values_list("machine", "from_state", "to_state"))
    LegalMove.objects.bulk_create(
        LegalMove(machine=machine, from_state=source, to_state=target)
        for machine, source, target in sorted(declared - stored)
    )
    for machine, source, target in stored - declared:
        LegalMove.objects.filter(machine=machine, from_state=source, to_state=target).delete()
    now = clock.now()
    for environment in Environment:
        restore(environment=environment, now=now)
