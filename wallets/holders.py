"""Wallets of users and merchants: opened once, found, locked, frozen, closed. Their money is accounts of the book.

Who pays out of a wallet or into it locks its row first (`lock_wallets`), in the order of references, after its claim and
its intent (DESIGN.md section 3): a freeze or a close that has committed is seen, one that has not waits.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from ledger import accounts, balances
from ledger.accounts import Opening
from ledger.assets import named
from ledger.balances import Balance
from ledger.controls import references
from ledger.controls.refusals import Malformed, NotFound, Refusal
from wallets.wallet_models import Wallet as Wallet
from wallets.wallet_models import WalletAsset, WalletFreeze, WalletReopening

MOST_ASSETS: Final = 20
_ACCOUNT: Final = re.compile(r"(?:users|merchants):(wal_[0-9a-z]{26}):(?:available|receivable)", re.ASCII)
_USER_REFERENCE: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class WalletFrozen(Refusal):
    """The wallet is frozen: it pays nothing out, and is still credited."""

    code = "wallet_frozen"
    status = 409


class WalletClosed(Refusal):
    """The wallet is closed."""

    code = "wallet_closed"
    status = 409


class WalletNotClosed(Refusal):
    """The wallet is not closed."""

    code = "wallet_not_closed"
    status = 409


class WalletNotFrozen(Refusal):
    """The wallet is not frozen."""

    code = "wallet_not_frozen"
    status = 409


class FreezeNotYours(Refusal):
    """The freezes that stand are somebody else's: only the house lifts those."""

    code = "freeze_not_yours"
    status = 409


class WalletNotEmpty(Refusal):
    """A wallet with money, holds or debts in it cannot be closed."""

    code = "wallet_not_empty"
    status = 409


class AssetNotHeld(Refusal):
    """The wallet does not hold this asset."""

    code = "asset_not_held"


@dataclass(frozen=True, slots=True)
class AssetBalance:
    """What a wallet has of one asset, in minor units: posted, held for payments under way, on its way in, owed to us."""

    asset: str
    posted: int
    held: int
    incoming: int
    receivable: int

    @property
    def available(self) -> int:
        return self.posted - self.held


def open_wallet(
    *, operator_id: int, environment: str, kind: str, user_reference: str, assets: Sequence[str], now: datetime
) -> Wallet:
    """Open the wallet of an operator's user or merchant with its accounts, or return the one that is open already.

    Assets that it does not have yet are added. Raises Malformed, UnknownAsset or WalletClosed.
    """
    codes = _checked(kind, user_reference, assets)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO wallets_wallet (reference, environment, operator_id, kind, user_reference, opened_at,"
            " closed_by) VALUES (%s, %s, %s, %s, %s, %s, '') ON CONFLICT DO NOTHING",
            [references.new(references.Prefix.WALLET), environment, operator_id, kind, user_reference, now],
        )
    wallet = Wallet.objects.select_for_update().get(
        operator_id=operator_id, environment=environment, kind=kind, user_reference=user_reference
    )
    if wallet.closed_at is not None:
        raise WalletClosed(wallet_id=wallet.reference)
    WalletAsset.objects.bulk_create(
        [WalletAsset(wallet=wallet, asset=code, opened_at=now) for code in codes], ignore_conflicts=True
    )
    accounts.open_accounts(environment=environment, openings=_openings(wallet, codes))
    return wallet


def find_wallet(*, reference: str, operator_id: int, environment: str) -> Wallet:
    """Return an operator's wallet, without a lock. Raises NotFound."""
    wallet = Wallet.objects.filter(reference=reference, operator_id=operator_id, environment=environment).first()
    if wallet is None:
        raise NotFound("There is no such wallet.")
    return wallet


def lock_wallet(reference: str) -> Wallet:
    """Lock one wallet and return it. Raises NotFound."""
    return lock_wallets([reference])[reference]


def lock_wallets(references: Sequence[str]) -> dict[str, Wallet]:
    """Lock wallets in the order of their references and return them by it. Raises NotFound."""
    wanted = sorted(set(references))
    rows = Wallet.objects.select_for_update().filter(reference__in=wanted).order_by("reference")
    found = {wallet.reference: wallet for wallet in rows}
    if len(found) != len(wanted):
        raise NotFound("There is no such wallet.")
    return found


def lock_wallets_at(*, environment: str, addresses: Collection[str]) -> dict[str, Wallet]:
    """Lock the wallets whose accounts these are, in the order of their references, and return them by address.

    Addresses that are no wallet's are left out.
    """
    named = {address: match[1] for address in addresses if (match := _ACCOUNT.fullmatch(address))}
    if not named:
        return {}
    rows = Wallet.objects.select_for_update().filter(reference__in=set(named.values()), environment=environment)
    found = {wallet.reference: wallet for wallet in rows.order_by("reference")}
    return {
        address: found[reference]
        for address, reference in named.items()
        if reference in found and address in (available_address(found[reference]), receivable_address(found[reference]))
    }


def refuse_paying(wallet: Wallet) -> None:
    """Raise WalletClosed or WalletFrozen unless the (locked) wallet may pay out."""
    refuse_receiving(wallet)
    if standing_freezes(wallet):
        raise WalletFrozen(wallet_id=wallet.reference)


def refuse_receiving(wallet: Wallet) -> None:
    """Raise WalletClosed unless the (locked) wallet may be credited; a frozen one may."""
    if wallet.closed_at is not None:
        raise WalletClosed(wallet_id=wallet.reference)


def need_asset(wallet: Wallet, asset: str) -> None:
    """Raise AssetNotHeld unless the wallet has an account in this asset."""
    if not WalletAsset.objects.filter(wallet=wallet, asset=asset).exists():
        raise AssetNotHeld(f"The wallet {wallet.reference} does not hold {asset}.", wallet_id=wallet.reference)


def standing_freezes(wallet: Wallet) -> list[WalletFreeze]:
    """Return the freezes that are not lifted, the oldest first: one of each freezer at most."""
    return list(WalletFreeze.objects.filter(wallet=wallet, lifted_at__isnull=True).order_by("pk"))


def available_address(wallet: Wallet) -> str:
    """Return the address of the wallet's money."""
    return accounts.user(wallet.reference) if wallet.kind == Wallet.Kind.USER else accounts.merchant(wallet.reference)


def receivable_address(wallet: Wallet) -> str:
    """Return the address of what the wallet owes us."""
    if wallet.kind == Wallet.Kind.USER:
        return accounts.user_receivable(wallet.reference)
    return accounts.merchant_receivable(wallet.reference)


def balances_of(wallet: Wallet) -> list[AssetBalance]:
    """Return what a wallet has of each of its assets, by asset, in one statement of the book."""
    held = list(WalletAsset.objects.filter(wallet=wallet).order_by("asset").values_list("asset", flat=True))
    money, debt = available_address(wallet), receivable_address(wallet)
    found = balances.read(
        environment=wallet.environment, accounts=[(address, asset) for address in (money, debt) for asset in held]
    )
    return [_balance(asset, found[money, asset], found[debt, asset]) for asset in held]


def is_empty(wallet: Wallet) -> bool:
    """Tell whether it has no money, holds or debts in any asset."""
    return are_empty(balances_of(wallet))


def are_empty(found: Sequence[AssetBalance]) -> bool:
    """Tell the same of balances that were read already."""
    return not any(one.posted or one.held or one.receivable or one.incoming for one in found)


def freeze_wallet(*, reference: str, reason: str, actor: str, now: datetime) -> WalletFreeze:
    """Let a wallet pay nothing out until this freeze, and each other one, is lifted.

    Others' freezes do not stand in the way: each freezer has one of its own. Raises NotFound, Malformed, WalletClosed, or
    WalletFrozen when the actor's own stands already.
    """
    if not reason.strip():
        raise Malformed("A reason is needed.")
    wallet = lock_wallet(reference)
    refuse_receiving(wallet)
    if any(freeze.frozen_by == actor for freeze in standing_freezes(wallet)):
        raise WalletFrozen("You have frozen the wallet already.", wallet_id=wallet.reference)
    return WalletFreeze.objects.create(wallet=wallet, reason=reason.strip()[:200], frozen_by=actor, frozen_at=now)


def lift_freeze(*, reference: str, actor: str, now: datetime, frozen_by: str = "", only_own: bool = False) -> Wallet:
    """Lift one freeze; the wallet pays again when no other stands.

    `frozen_by`: whose; it may be empty while only one stands. `only_own`: the actor's. Raises NotFound, WalletNotFrozen,
    FreezeNotYours, or Malformed when several stand and none is named.
    """
    wallet = lock_wallet(reference)
    standing = standing_freezes(wallet)
    if not standing:
        raise WalletNotFrozen
    whose = actor if only_own else frozen_by
    if not whose and len(standing) > 1:
        raise Malformed("Several freezes stand.", errors={"frozen_by": ["Say whose freeze is lifted."]})
    freeze = next((one for one in standing if whose in ("", one.frozen_by)), None)
    if freeze is None:
        raise FreezeNotYours if only_own else WalletNotFrozen(f"No freeze by {whose} stands.")
    freeze.lifted_by, freeze.lifted_at = actor, now
    freeze.save(update_fields=["lifted_by", "lifted_at"])
    return wallet


def close_wallet(*, reference: str, actor: str, now: datetime) -> Wallet:
    """Close a wallet: it pays nothing and is paid nothing, until the house opens it again. One that is closed stays so.

    Raises NotFound, or WalletNotEmpty while it has money, holds, or owes us anything. Whoever pays it locks its row too,
    so that nothing comes in between.
    """
    wallet = lock_wallet(reference)
    if wallet.closed_at is not None:
        return wallet
    if not is_empty(wallet):
        raise WalletNotEmpty
    wallet.closed_at, wallet.closed_by = now, actor
    wallet.save(update_fields=["closed_at", "closed_by"])
    return wallet


def reopen_wallet(*, reference: str, reason: str, actor: str, now: datetime) -> Wallet:
    """Open a closed wallet again, with its accounts, freezes and history: what came in since may then leave it.

    Raises NotFound, Malformed or WalletNotClosed.
    """
    if not reason.strip():
        raise Malformed("A reason is needed.")
    wallet = lock_wallet(reference)
    if wallet.closed_at is None:
        raise WalletNotClosed
    WalletReopening.objects.create(
        wallet=wallet,
        closed_at=wallet.closed_at,
        closed_by=wallet.closed_by,
        reason=reason.strip()[:200],
        reopened_by=actor,
        reopened_at=now,
    )
    wallet.closed_at, wallet.closed_by, wallet.moved_after_close_at = None, "", None
    wallet.save(update_fields=["closed_at", "closed_by", "moved_after_close_at"])
    return wallet


def note_movement(wallet: Wallet, *, now: datetime) -> None:
    """Mark a closed wallet in which something has moved, until it is empty or open again. Its row is locked.

    What happened outside, a pay-in or a payment that came back, is booked whether the wallet is closed or not.
    """
    if wallet.closed_at is None:
        return
    wallet.moved_after_close_at = None if is_empty(wallet) else wallet.moved_after_close_at or now
    wallet.save(update_fields=["moved_after_close_at"])


def _checked(kind: str, user_reference: str, assets: Sequence[str]) -> list[str]:
    errors: dict[str, list[str]] = {}
    if kind not in Wallet.Kind.values:
        errors["kind"] = [f"Not one of: {', '.join(Wallet.Kind.values)}."]
    if not _USER_REFERENCE.fullmatch(user_reference):
        errors["user_reference"] = ["1 to 64 of the characters A-Z a-z 0-9 . _ @ -"]
    if not assets or len(assets) > MOST_ASSETS or len(set(assets)) != len(assets):
        errors["assets"] = [f"1 to {MOST_ASSETS} different assets."]
    if errors:
        raise Malformed("The wallet is malformed.", errors=errors)
    return sorted(named(code).code for code in assets)


def _openings(wallet: Wallet, codes: Sequence[str]) -> list[Opening]:
    """Return every account that a payment of this wallet in these assets may post to; a bank's are its channel's."""
    user = wallet.kind == Wallet.Kind.USER
    money = accounts.USER if user else accounts.MERCHANT
    debt = accounts.USER_RECEIVABLE if user else accounts.MERCHANT_RECEIVABLE
    return [
        opening
        for code in codes
        for opening in (
            Opening(available_address(wallet), code, money),
            Opening(receivable_address(wallet), code, debt),
            Opening(accounts.TRANSFER_TRANSIT, code, accounts.TRANSFER_TRANSIT_KIND),
            Opening(accounts.TRANSFER_REVENUE, code, accounts.TRANSFER_REVENUE_KIND),
            Opening(accounts.PAYOUT_REVENUE, code, accounts.PAYOUT_REVENUE_KIND),
            Opening(accounts.PAYIN_REVENUE, code, accounts.PAYIN_REVENUE_KIND),
            Opening(accounts.VAT_PAYABLE, code, accounts.VAT),
        )
    ]


def _balance(asset: str, money: Balance, debt: Balance) -> AssetBalance:
    return AssetBalance(
        asset=asset,
        posted=money.posted,
        held=money.debits_pending,
        incoming=money.credits_pending,
        receivable=debt.posted,
    )
