"""The assets there are. Reference rows: read once per process and looked up by code."""

from functools import cache

from ledger import money
from ledger.controls.refusals import Refusal
from ledger.models import Asset


class UnknownAsset(Refusal):
    """There is no such asset."""

    code = "unknown_asset"


@cache
def _scales() -> dict[str, money.Asset]:
    return {asset.code: asset.as_value() for asset in Asset.objects.all()}


def named(code: str) -> money.Asset:
    """Return an asset by its code. Raises UnknownAsset."""
    found = _scales().get(code)
    if found is None:
        _scales.cache_clear()
        found = _scales().get(code)
    if found is None:
        raise UnknownAsset(f"There is no asset {code!r}.")
    return found


def codes() -> list[str]:
    """Return the codes of all assets."""
    return list(_scales())


def text(minor: int, code: str) -> str:
    """Write minor units as REST and CSV carry them: a decimal string with exactly the asset's scale."""
    return money.decimal_text(minor, named(code).scale)


def for_reading(minor: int, code: str) -> str:
    """Write minor units for a person who reads columns of them: thousands apart, a bare 0 for nothing."""
    if not minor:
        return "0"
    whole, dot, part = text(minor, code).partition(".")
    return f"{int(whole):,}{dot}{part}" if whole.lstrip("-") != "0" else f"{whole}{dot}{part}"
