"""Asset scaling: EUR/3 and EUR changed into EUR/2 on the way, through an account that swaps them."""

from collections.abc import Mapping

from ledger.numscript.errors import LimitExceeded, Position
from ledger.numscript.limits import MAXIMUM_SCALE
from ledger.numscript.run import Run


def parted(asset: str, at: Position) -> tuple[str, int]:
    """Return an asset's base and its number of decimals: EUR/2 is EUR and 2, EUR is EUR and 0."""
    base, _, decimals = asset.partition("/")
    scale = int(decimals or "0")
    if scale > MAXIMUM_SCALE:
        raise LimitExceeded(f"Scaling handles at most {MAXIMUM_SCALE} decimals; {asset} has more.", at)
    return base, scale


def named(base: str, scale: int) -> str:
    return f"{base}/{scale}" if scale else base


def change(run: Run, address: str, through: str, needed: int | None, at: Position) -> None:
    """Post what changes the account's other scales into the asset being sent: as much as `needed`, or everything.

    Nothing is lost by rounding: only whole units of the wanted scale are changed, from the finest scale up.
    """
    base, scale = parted(run.asset, at)
    held = _held(run, address, base, at)
    wanted = None if needed is None else needed - held.get(scale, 0)
    changed = 0
    for other in sorted(held, reverse=True):
        if other == scale:
            continue
        if wanted is not None and changed >= wanted:
            break
        up, down = 10 ** max(0, scale - other), 10 ** max(0, other - scale)
        worth = max(0, held[other]) * up // down
        taken = worth if wanted is None else min(worth, wanted - changed)
        given = -(-taken * down // up)
        if given:
            run.post(address, through, named(base, other), given)
            changed += given * up // down
    run.post(through, address, run.asset, changed)


def _held(run: Run, address: str, base: str, at: Position) -> Mapping[int, int]:
    """Return the account's balances in every scale of an asset, by number of decimals."""
    assets = {
        key[1] for key in (*run.balances, *run.moved) if (key[0] == address and len(key) == 2) or key[2:] == ("",)
    }
    return {
        parted(asset, at)[1]: run.balance(address, asset) for asset in sorted(assets) if asset.partition("/")[0] == base
    }
