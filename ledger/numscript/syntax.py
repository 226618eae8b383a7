"""The syntax tree of a script: what was written, with the place of each part."""

from dataclasses import dataclass
from fractions import Fraction

from ledger.numscript.errors import Position

# --- expressions


@dataclass(frozen=True, slots=True, eq=False)
class VariableName:
    at: Position
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class AccountLiteral:
    """`@users:$id`: its segments, each a text or a variable."""

    at: Position
    segments: tuple[str | VariableName, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AssetLiteral:
    at: Position
    code: str


@dataclass(frozen=True, slots=True, eq=False)
class NumberLiteral:
    at: Position
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class PortionLiteral:
    at: Position
    portion: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class StringLiteral:
    at: Position
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class MonetaryLiteral:
    at: Position
    asset: "Expression"
    amount: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Negation:
    at: Position
    operand: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Infix:
    """`left operator right`, where the operator is one of + - /."""

    at: Position
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    at: Position
    function: str
    arguments: "tuple[Expression, ...]"


Expression = (
    VariableName
    | AccountLiteral
    | AssetLiteral
    | NumberLiteral
    | PortionLiteral
    | StringLiteral
    | MonetaryLiteral
    | Negation
    | Infix
    | Call
)

# --- sources


@dataclass(frozen=True, slots=True, eq=False)
class AccountSource:
    """One account. `overdraft` is the bound of what it may go below zero; `unbounded` says that there is none."""

    at: Position
    address: Expression
    color: Expression | None
    overdraft: Expression | None
    unbounded: bool


@dataclass(frozen=True, slots=True, eq=False)
class ScaledSource:
    at: Position
    address: Expression
    through: Expression


@dataclass(frozen=True, slots=True, eq=False)
class InOrderSource:
    at: Position
    sources: "tuple[Source, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class OneOfSource:
    at: Position
    sources: "tuple[Source, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class CappedSource:
    at: Position
    cap: Expression
    source: "Source"


@dataclass(frozen=True, slots=True, eq=False)
class AllottedSource:
    """Portions and their sources; the portion None is what remains."""

    at: Position
    portions: tuple[Expression | None, ...]
    sources: "tuple[Source, ...]"


Source = AccountSource | ScaledSource | InOrderSource | OneOfSource | CappedSource | AllottedSource

# --- destinations


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What is not sent at all."""

    at: Position


@dataclass(frozen=True, slots=True, eq=False)
class AccountDestination:
    at: Position
    address: Expression


@dataclass(frozen=True, slots=True, eq=False)
class AllottedDestination:
    """Portions and where they go; the portion None is what remains."""

    at: Position
    portions: tuple[Expression | None, ...]
    targets: "tuple[Destination, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class InOrderDestination:
    """Each cap filled in order, and where the rest goes."""

    at: Position
    caps: tuple[Expression, ...]
    targets: "tuple[Destination, ...]"
    remaining: "Destination"


@dataclass(frozen=True, slots=True, eq=False)
class OneOfDestination:
    """The first cap that holds the whole amount, or else where the rest goes."""

    at: Position
    caps: tuple[Expression, ...]
    targets: "tuple[Destination, ...]"
    remaining: "Destination"


Destination = Kept | AccountDestination | AllottedDestination | InOrderDestination | OneOfDestination

# --- statements


@dataclass(frozen=True, slots=True, eq=False)
class AllOf:
    """`[EUR *]`: everything there is."""

    at: Position
    asset: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    at: Position
    amount: Expression | AllOf
    source: Source
    destination: Destination


@dataclass(frozen=True, slots=True, eq=False)
class Save:
    at: Position
    amount: Expression | AllOf
    account: Expression


Statement = Send | Save | Call


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A variable: given from outside, or made by its origin."""

    at: Position
    type_name: str
    name: str
    origin: Expression | None


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    features: tuple[StringLiteral, ...]
    declarations: tuple[Declaration, ...]
    statements: tuple[Statement, ...]
