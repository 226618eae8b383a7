"""Transfers between wallets: what is asked, their terms, how many are carried out in one ledger call."""
