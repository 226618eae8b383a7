"""Trusted status reads: the one thing that whoever owns no operation may do with it. It moves no money."""

from wallets import remote_operations
from wallets.outcomes import Confirmed, Rejected


def read_status(key: str) -> bool:
    """Ask once what became of a key, and return whether that is known now. Outside any transaction."""
    return isinstance(remote_operations.look_up(key), Confirmed | Rejected)
