"""Who calls: one API key's operator and environment. What DRF calls the user of a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`issued_by` is who made the key, as audit rows name people: they have seen it."""

    operator_id: int
    operator_reference: str
    operator_slug: str
    is_house: bool
    environment: str
    key_id: int
    scopes: frozenset[str]
    issued_by: str = ""
    is_authenticated: bool = True
    is_anonymous: bool = False

    @property
    def pk(self) -> int:
        """What DRF's throttling counts by: the key."""
        return self.key_id

    @property
    def actor(self) -> str:
        """How audit rows name this caller."""
        return f"operator:{self.operator_reference}"
