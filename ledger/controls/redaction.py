"""Remove secrets from what is written down: logs, and anything else that people read."""

import re
from collections.abc import Mapping
from typing import Final

REDACTED: Final = "[redacted]"

# A key whose name contains one of these words hides its value whole.
_SECRET_KEYS: Final = re.compile(
    r"secret|passw|authorization|token|signature|cookie|api[-_ ]?key|private[-_ ]?key|credential|otp",
    re.IGNORECASE,
)
_SECRET_TEXTS: Final = (
    (re.compile(r"\b(hf_(?:test|live)_)[A-Za-z0-9_\-]+"), r"\1" + REDACTED),
    (re.compile(r"(whsec_)[A-Za-z0-9+/=_\-]+"), r"\1" + REDACTED),
    (re.compile(r"(enc1:)[A-Za-z0-9_\-=]+"), r"\1" + REDACTED),
    (re.compile(r"\b(v1a?,)[A-Za-z0-9+/=_\-]{16,}"), r"\1" + REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=\-]+", re.IGNORECASE), r"\1 " + REDACTED),
    (re.compile(r"(\b[a-z][a-z0-9+.\-]*://[^\s:/@]*:)[^\s/@]+@", re.IGNORECASE), r"\1" + REDACTED + "@"),
)
_DEEPEST: Final = 12
_hidden: Final[set[str]] = set()


def hide(*secrets: str) -> None:
    """Have these texts replaced wherever they stand, such as the process's own keys."""
    _hidden.update(secret for secret in secrets if secret)


def redacted(value: object, *, depth: int = 0) -> object:
    """Return the value with secrets replaced, inside mappings, lists and texts, to a bounded depth."""
    if depth > _DEEPEST:
        return REDACTED
    if isinstance(value, str):
        return _redacted_text(value)
    if isinstance(value, bytes):
        return _redacted_text(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {
            key: REDACTED
            if isinstance(key, str) and _SECRET_KEYS.search(key) and item not in (None, "", True, False)
            else redacted(item, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redacted(item, depth=depth + 1) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _redacted_text(str(value))


def _redacted_text(text: str) -> str:
    for known in _hidden:
        text = text.replace(known, REDACTED)
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text
