"""How a claim keeps an answer's bytes: as they are, or encrypted when they show a secret (decision 0021).

What decides is what the answer says, not which route gave it: no route can forget to say so. A replay is byte for byte.
"""

import re
from typing import Final

from ledger.controls import ciphers

_SHOWS_SECRET: Final = re.compile(rb"whsec_|hf_(?:test|live)_|\"[a-z_]*secret\":")
_ENCRYPTED: Final = ciphers.PREFIX.encode()


def to_keep(body: bytes) -> bytes:
    """Return what the database keeps of an answer."""
    return ciphers.encrypt(body).encode() if _SHOWS_SECRET.search(body) else body


def as_given(kept: bytes) -> bytes:
    """Return the answer's bytes again. No answer begins as an encrypted one does: answers are JSON."""
    return ciphers.decrypt(kept.decode()) if kept.startswith(_ENCRYPTED) else kept
