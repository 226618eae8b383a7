"""Secrets at rest: what the database keeps of a secret is encrypted with a key that the database does not have.

The keys come from the setting `SECRETS_KEYS`, the newest first: the first encrypts, any of them decrypts. To rotate, put
a new one in front, run `manage.py rotate_secrets`, and take the old one away. An encrypted text says so at its beginning,
so that a plain one is never taken for it.
"""

from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PREFIX: Final = "enc1:"


class Unreadable(RuntimeError):
    """A kept secret cannot be read: none of SECRETS_KEYS made it, or it was never encrypted."""


def encrypt(plain: bytes) -> str:
    """Return the text to keep. The same secret gives another text each time."""
    return PREFIX + _keys().encrypt(plain).decode()


def decrypt(kept: str) -> bytes:
    """Return the secret. Raises Unreadable, which shows nothing of it."""
    try:
        return _keys().decrypt(_token(kept))
    except InvalidToken:
        raise Unreadable from None


def renewed(kept: str) -> str:
    """Return the same secret encrypted with the newest key. Raises Unreadable."""
    try:
        return PREFIX + _keys().rotate(_token(kept)).decode()
    except InvalidToken:
        raise Unreadable from None


def is_encrypted(kept: str) -> bool:
    return kept.startswith(PREFIX)


def is_newest(kept: str) -> bool:
    """Tell whether the newest key made it."""
    try:
        _fernet(settings.SECRETS_KEYS[0]).decrypt(_token(kept))
    except InvalidToken:
        return False
    return True


def _token(kept: str) -> bytes:
    if not is_encrypted(kept):
        raise Unreadable
    return kept.removeprefix(PREFIX).encode()


def _keys() -> MultiFernet:
    return _ring(tuple(settings.SECRETS_KEYS))


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([_fernet(key) for key in keys])


@lru_cache(maxsize=16)
def _fernet(key: str) -> Fernet:
    return Fernet(key + "=" * (-len(key) % 4))
