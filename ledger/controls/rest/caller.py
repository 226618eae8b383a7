"""Who calls: one API key's operator and environment. What DRF calls the user of a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    operator_id: int
    operator_reference: str
    operator_slug: str
    is_house: bool
    environment: str
    key_id: int
    scopes: frozenset[str]
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
