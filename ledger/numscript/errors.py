"""What can be wrong with a script or its execution: each error says where, in lines and columns from 1."""

from typing import NamedTuple


class Position(NamedTuple):
    """A place in a source text."""

    line: int
    column: int


class NumscriptError(Exception):
    """The script cannot be read or executed."""

    def __init__(self, message: str, at: Position) -> None:
        super().__init__(message)
        self.message = message
        self.line = at.line
        self.column = at.column


class SyntaxRefused(NumscriptError):
    """The text is not Numscript."""


class LimitExceeded(NumscriptError):
    """The script, or a number in it, is larger than what is executed here."""


class UnknownName(NumscriptError):
    """There is no such type, variable, function or feature."""


class FeatureNotEnabled(NumscriptError):
    """The script uses an experimental feature that it does not ask for in its first line."""


class TypeMismatch(NumscriptError):
    """An expression is of another type than its place needs."""


class AllotmentInvalid(NumscriptError):
    """The portions of a split do not make a whole."""


class VariableInvalid(NumscriptError):
    """A variable is missing, or its value is not of its type."""


class MetadataMissing(NumscriptError):
    """The account has no metadata under this key."""


class AssetMismatch(NumscriptError):
    """Amounts of two assets were put together."""


class DivisionByZero(NumscriptError):
    """A number was divided by zero."""


class UnboundedSource(NumscriptError):
    """All of an account without a limit cannot be sent."""


class NegativeAmount(NumscriptError):
    """An amount to send or to save is negative."""


class NegativeBalance(NumscriptError):
    """balance() was asked of an account that is overdrawn."""


class MissingFunds(NumscriptError):
    """The sources hold less than the amount to send. `needed` and `available` are minor units of `asset`."""

    def __init__(self, at: Position, *, asset: str, needed: int, available: int) -> None:
        super().__init__(f"Not enough funds: [{asset} {needed}] needed, [{asset} {available}] available.", at)
        self.asset = asset
        self.needed = needed
        self.available = available


def pointed_out(error: NumscriptError, source: str) -> str:
    """Write an error as a person reads it: the message, its line of the source and a caret under the place."""
    lines = source.split("\n")
    where = f"line {error.line}, column {error.column}"
    if not 1 <= error.line <= len(lines):
        return f"{error.message} ({where})"
    text = "".join(c if c.isprintable() else " " for c in lines[error.line - 1])
    number = str(error.line)
    start = max(0, error.column - 80)
    return (
        f"{error.message} ({where})\n"
        f"  {number} | {text[start : start + 120]}\n"
        f"  {' ' * len(number)} | {' ' * (error.column - 1 - start)}^"
    )
