"""An address over one business date: what it opened with, what moved by event type, what it closed with.

What counted after the date is taken off what stands now, in one statement; so a busy account's past is not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import connection

from ledger import periods
from ledger.books import number_of
from ledger.controls.refusals import Malformed
from ledger.reports.scopes import midnight, zone_of

_SQL: Final = (Path(__file__).resolve().parent.parent / "sql" / "reports" / "account_day.sql").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Moved:
    """What the transactions of one event type moved, in minor units."""

    event_type: str
    transactions: int
    debited: int
    credited: int

    @property
    def net(self) -> int:
        return self.debited - self.credited


@dataclass(frozen=True, slots=True)
class AssetDay:
    """Debits less credits, posted, in minor units of `asset`; `after` is what counted since the date ended."""

    asset: str
    closing: int
    within: Sequence[Moved]
    after: Sequence[Moved]

    @property
    def opening(self) -> int:
        return self.closing - sum(one.net for one in self.within)


@dataclass(frozen=True, slots=True)
class AccountDay:
    """`final`: the date is locked, nothing changes it any more."""

    environment: str
    address: str
    business_date: date
    zone: str
    start: datetime
    end: datetime
    final: bool
    assets: Mapping[str, AssetDay]


def day(*, environment: str, address: str, business_date: date) -> AccountDay:
    """Return an address's date in its book's zone; no asset when there is no such account. Raises Malformed."""
    return days(environment=environment, addresses=[address], business_date=business_date)[address]


def days(*, environment: str, addresses: Sequence[str], business_date: date) -> Mapping[str, AccountDay]:
    """Return the same of many addresses, each by its own, in as many questions as of one."""
    if not date(2000, 1, 1) <= business_date <= date(2200, 1, 1):
        raise Malformed("A date lies between 2000 and 2200.")
    zone = zone_of(environment)
    start, end = midnight(business_date, zone), midnight(business_date + timedelta(days=1), zone)
    final = periods.is_locked(environment, business_date)
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"book": number_of(environment), "addresses": list(addresses), "start": start, "end": end})
        rows = cursor.fetchall()
    net: dict[str, dict[str, int]] = {address: {} for address in addresses}
    moved: dict[tuple[str, str, bool], list[Moved]] = {}
    for address, asset, now, event_type, after, transactions, debited, credited in rows:
        net[address][asset] = int(now)
        if event_type is not None:
            found = Moved(event_type, int(transactions), int(debited), int(credited))
            moved.setdefault((address, asset, after), []).append(found)
    return {
        address: AccountDay(
            environment=environment,
            address=address,
            business_date=business_date,
            zone=zone,
            start=start,
            end=end,
            final=final,
            assets={
                asset: _asset_day(
                    asset, now, moved.get((address, asset, False), ()), moved.get((address, asset, True), ())
                )
                for asset, now in found_net.items()
            },
        )
        for address, found_net in net.items()
    }


def _asset_day(asset: str, net: int, within: Sequence[Moved], after: Sequence[Moved]) -> AssetDay:
    return AssetDay(asset, net - sum(one.net for one in after), within, after)
