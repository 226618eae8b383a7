"""A refusal: an expected answer of the domain that a caller can act on. Never a defect, never an unknown."""

from collections.abc import Mapping
from typing import ClassVar


class Refusal(Exception):
    """The request cannot be fulfilled as it stands.

    Each subclass lives beside what raises it and sets `code` (stable, snake_case) and `status` (HTTP).
    The default message is the docstring's first line. `fields` names what the caller may look at;
    `errors` maps request fields to messages.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422
    kept: ClassVar[bool] = True
    """Whether a claim keeps this answer for its key (DESIGN.md section 11)."""
    retry_after: int | None = None
    """Whole seconds after which the same request may be worth sending again: `Retry-After`."""

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: Mapping[str, list[str]] | None = None,
        **fields: str | int | None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.errors = dict(errors or {})
        self.fields = fields
        super().__init__(self.message)


class Malformed(Refusal):
    """The request does not have the shape that this route takes."""

    code = "malformed"
    status = 400
    kept = False


class NotFound(Refusal):
    """There is no such thing for this key."""

    code = "not_found"
    status = 404
    kept = False


class Forbidden(Refusal):
    """This key may not do that."""

    code = "forbidden"
    status = 403
    kept = False
