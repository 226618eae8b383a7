"""The wallets that a transfer is between, locked and seen as they are after the lock."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ledger import accounts
from ledger.controls import prepared
from ledger.controls.refusals import NotFound, Refusal
from orders.transfers.requests import Asked
from wallets.holders import AssetNotHeld, Wallet, WalletClosed, WalletFrozen

_LOCK: Final = "SELECT reference, kind, closed, frozen, assets FROM orders_lock_parties(%s, %s, %s)"


class SameWallet(Refusal):
    """A wallet pays another one, not itself."""

    code = "same_wallet"


@dataclass(frozen=True, slots=True)
class Party:
    """A locked wallet: nobody freezes or closes it until this transaction ends."""

    reference: str
    kind: str
    closed: bool
    frozen: bool
    assets: frozenset[str]
    address: str
    """Where its money is in the book."""


def lock_parties(*, environment: str, operator_id: int, references: Collection[str]) -> dict[str, Party]:
    """Lock an operator's wallets in the order of their references. Those that it does not have are left out."""
    rows = prepared.rows(_LOCK, [environment, operator_id, sorted(set(references))])
    return {
        reference: Party(reference, kind, closed, frozen, frozenset(assets), _address(reference, kind))
        for reference, kind, closed, frozen, assets in rows
    }


def _address(reference: str, kind: str) -> str:
    return accounts.user(reference) if kind == Wallet.Kind.USER else accounts.merchant(reference)


def refusal_of(asked: Asked, parties: dict[str, Party]) -> Refusal | None:
    """Return why these two may not do that, or None: one is not the caller's, frozen, closed, or has no such asset."""
    payer, payee = parties.get(asked.payer), parties.get(asked.payee)
    if payer is None or payee is None:
        name = "payer_wallet_id" if payer is None else "payee_wallet_id"
        return NotFound("There is no such wallet.", errors={name: ["There is no such wallet."]})
    if payer.reference == payee.reference:
        return SameWallet(errors={"payee_wallet_id": ["This is the wallet that pays."]})
    for party in (payer, payee):
        if party.closed:
            return WalletClosed(wallet_id=party.reference)
        if asked.amount.asset not in party.assets:
            message = f"The wallet {party.reference} does not hold {asked.amount.asset}."
            return AssetNotHeld(message, wallet_id=party.reference)
    if payer.frozen:
        return WalletFrozen(wallet_id=payer.reference)
    return None
