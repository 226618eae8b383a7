"""From text to syntax tree: the grammar, and what it leaves to be sorted."""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TypeVar

from lark import Lark, Token, Transformer_NonRecursive
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from ledger.numscript import syntax
from ledger.numscript.comments import place, without_comments
from ledger.numscript.errors import LimitExceeded, NumscriptError, Position, SyntaxRefused
from ledger.numscript.limits import MAXIMUM_DEPTH, MAXIMUM_DIGITS, MAXIMUM_SOURCE, MAXIMUM_STEPS, MAXIMUM_TEXT

_START = Position(1, 1)

Node = syntax.Expression | syntax.Source | syntax.Destination | syntax.Statement | syntax.AllOf | syntax.Declaration
_N = TypeVar("_N", bound=Node)


def read(source: str) -> syntax.Script:
    """Read a script. Raises SyntaxRefused or LimitExceeded."""
    if not isinstance(source, str):
        raise SyntaxRefused("A script is a text.", _START)
    if len(source) > MAXIMUM_SOURCE:
        raise LimitExceeded(f"A script has at most {MAXIMUM_SOURCE} characters; this has {len(source)}.", _START)
    text = without_comments(source)
    _refuse_depth(text)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as unexpected:
        raise _refusal(unexpected, text) from None
    try:
        script: syntax.Script = _Sorting().transform(tree)
    except VisitError as failed:
        if isinstance(failed.orig_exc, NumscriptError):
            raise failed.orig_exc from None
        raise
    return script


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=True, propagate_positions=False)


_BRACKET = re.compile(r'"(?:\\"|[^\r\n"])*"|[\[({]|[\])}]')


def _refuse_depth(text: str) -> None:
    """Count brackets before parsing, so that what is far too deep is named as such and not as half a parse."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        if bracket.group() in "[({":
            depth += 1
            if depth > MAXIMUM_DEPTH:
                raise _too_deep(place(text, bracket.start()))
        elif bracket.group() in "])}":
            depth -= 1


def _too_deep(at: Position) -> LimitExceeded:
    return LimitExceeded(f"Nested deeper than {MAXIMUM_DEPTH}.", at)


_SPOKEN = {
    "$END": "the end",
    "IDENTIFIER": "a name",
    "VARIABLE": "a variable",
    "ACCOUNT": "an account",
    "ASSET": "an asset",
    "NUMBER": "a number",
    "PERCENTAGE": "a percentage",
    "STRING": "a text",
    "OPEN": "“[”",
    "BEGIN": "“{”",
}


def _refusal(unexpected: UnexpectedInput, text: str) -> SyntaxRefused:
    if isinstance(unexpected, UnexpectedCharacters):
        at = Position(unexpected.line, unexpected.column)
        return SyntaxRefused(f"Unexpected character {unexpected.char!r}.", at)
    if isinstance(unexpected, UnexpectedToken):
        expected = ", ".join(sorted({_spoken(name) for name in unexpected.accepts or unexpected.expected}))
        if unexpected.token.type == "$END":
            return SyntaxRefused(f"The script ends too early; expected {expected}.", place(text, len(text.rstrip())))
        at = _at(unexpected.token)
        return SyntaxRefused(f"Unexpected “{_short(unexpected.token)}”; expected {expected}.", at)
    return SyntaxRefused("This is not Numscript.", _START)


def _spoken(name: str) -> str:
    if name in _SPOKEN:
        return _SPOKEN[name]
    pattern = next((terminal.pattern.value for terminal in _parser().terminals if terminal.name == name), name.lower())
    return f"“{pattern}”"


def _short(token: str) -> str:
    return token if len(token) <= 40 else token[:39] + "…"


class _Sorting(Transformer_NonRecursive[Token, syntax.Script]):
    """Make the syntax tree from the grammar's, from the leaves up, counting depth and size on the way."""

    def __init__(self) -> None:
        super().__init__(visit_tokens=False)
        self._depths: dict[int, int] = {}

    def _made(self, node: _N, *parts: Node | None) -> _N:
        depth = 1 + max((self._depths[id(part)] for part in parts if part is not None), default=0)
        if depth > MAXIMUM_DEPTH:
            raise _too_deep(node.at)
        self._depths[id(node)] = depth
        if len(self._depths) > MAXIMUM_STEPS:
            raise LimitExceeded(f"A script has at most {MAXIMUM_STEPS} parts.", node.at)
        return node

    def start(self, children: list[object]) -> syntax.Script:
        listed = [part for child in children if isinstance(child, tuple) for part in child]
        return syntax.Script(
            tuple(part for part in listed if isinstance(part, syntax.StringLiteral)),
            tuple(part for part in listed if isinstance(part, syntax.Declaration)),
            tuple(child for child in children if isinstance(child, syntax.Statement)),
        )

    def features(self, children: list[Token | None]) -> tuple[syntax.StringLiteral, ...]:
        return tuple(self.string([name]) for name in children if name is not None)

    def variables(self, children: list[syntax.Declaration]) -> tuple[syntax.Declaration, ...]:
        return tuple(children)

    def declaration(self, children: "tuple[Token, Token, syntax.Expression | None]") -> syntax.Declaration:
        type_name, name, origin = children
        return self._made(syntax.Declaration(_at(type_name), str(type_name), name[1:], origin), origin)

    # --- statements

    def send(
        self, children: "tuple[Token, syntax.Expression | syntax.AllOf, syntax.Source, syntax.Destination]"
    ) -> syntax.Send:
        word, amount, source, destination = children
        return self._made(syntax.Send(_at(word), amount, source, destination), amount, source, destination)

    def save(self, children: "tuple[Token, syntax.Expression | syntax.AllOf, syntax.Expression]") -> syntax.Save:
        word, amount, account = children
        return self._made(syntax.Save(_at(word), amount, account), amount, account)

    def all_of(self, children: tuple[Token, syntax.Expression]) -> syntax.AllOf:
        bracket, asset = children
        return self._made(syntax.AllOf(_at(bracket), asset), asset)

    # --- expressions

    def variable(self, children: list[Token]) -> syntax.VariableName:
        return self._made(syntax.VariableName(_at(children[0]), children[0][1:]))

    def account(self, children: list[Token]) -> syntax.AccountLiteral:
        at = _at(children[0])
        segments: list[str | syntax.VariableName] = []
        column = at.column + 1
        for part in children[0][1:].split(":"):
            if part.startswith("$"):
                segments.append(self._made(syntax.VariableName(Position(at.line, column), part[1:])))
            else:
                segments.append(part)
            column += len(part) + 1
        return self._made(syntax.AccountLiteral(at, tuple(segments)))

    def asset(self, children: list[Token]) -> syntax.AssetLiteral:
        return self._made(syntax.AssetLiteral(_at(children[0]), str(children[0])))

    def number(self, children: list[Token]) -> syntax.NumberLiteral:
        digits = children[0].replace("_", "")
        return self._made(syntax.NumberLiteral(_at(children[0]), _integer(digits, _at(children[0]))))

    def percentage(self, children: list[Token]) -> syntax.PortionLiteral:
        whole, _, decimals = children[0][:-1].partition(".")
        portion = Fraction(_integer(whole + decimals, _at(children[0])), 100 * 10 ** len(decimals))
        return self._made(syntax.PortionLiteral(_at(children[0]), portion))

    def string(self, children: list[Token]) -> syntax.StringLiteral:
        text = children[0][1:-1].replace('\\"', '"')
        if len(text) > MAXIMUM_TEXT:
            raise LimitExceeded(f"A text has at most {MAXIMUM_TEXT} characters.", _at(children[0]))
        return self._made(syntax.StringLiteral(_at(children[0]), text))

    def monetary(self, children: tuple[Token, syntax.Expression, syntax.Expression]) -> syntax.MonetaryLiteral:
        bracket, asset, amount = children
        return self._made(syntax.MonetaryLiteral(_at(bracket), asset, amount), asset, amount)

    def negation(self, children: tuple[Token, syntax.Expression]) -> syntax.Negation:
        sign, operand = children
        return self._made(syntax.Negation(_at(sign), operand), operand)

    def infix(self, children: tuple[syntax.Expression, Token, syntax.Expression]) -> syntax.Infix:
        left, sign, right = children
        return self._made(syntax.Infix(left.at, str(sign), left, right), left, right)

    def call(self, children: list[object]) -> syntax.Call:
        name, *rest = children
        assert isinstance(name, Token)
        arguments = tuple(part for part in rest if isinstance(part, syntax.Expression))
        return self._made(syntax.Call(_at(name), str(name), arguments), *arguments)

    # --- sources

    def account_source(self, children: list[syntax.Expression | None]) -> syntax.AccountSource:
        return self._account_source(children[0], children[1], None, unbounded=False)

    def unbounded_source(self, children: list[syntax.Expression | None]) -> syntax.AccountSource:
        return self._account_source(children[0], children[1], None, unbounded=True)

    def bounded_source(self, children: list[syntax.Expression | None]) -> syntax.AccountSource:
        return self._account_source(children[0], children[1], children[-1], unbounded=False)

    def _account_source(
        self,
        address: syntax.Expression | None,
        color: syntax.Expression | None,
        overdraft: syntax.Expression | None,
        *,
        unbounded: bool,
    ) -> syntax.AccountSource:
        assert address is not None
        return self._made(
            syntax.AccountSource(address.at, address, color, overdraft, unbounded), address, color, overdraft
        )

    def scaled_source(self, children: list[syntax.Expression]) -> syntax.ScaledSource:
        address, through = children
        return self._made(syntax.ScaledSource(address.at, address, through), address, through)

    def source_oneof(self, children: list[object]) -> syntax.OneOfSource:
        sources = tuple(part for part in children if isinstance(part, syntax.Source))
        return self._made(syntax.OneOfSource(_at(children[0]), sources), *sources)

    def capped_source(self, children: tuple[Token, syntax.Expression, syntax.Source]) -> syntax.CappedSource:
        word, cap, source = children
        return self._made(syntax.CappedSource(_at(word), cap, source), cap, source)

    def source_clause(self, children: list[object]) -> "tuple[object, syntax.Source]":
        """Return the portion, REMAINING or None, and the source."""
        source = children[-1]
        assert isinstance(source, syntax.Source)
        return (children[0] if len(children) == 2 else None), source

    def source_block(self, children: "list[object]") -> syntax.InOrderSource | syntax.AllottedSource:
        at = _at(children[0])
        clauses = [clause for clause in children[1:] if isinstance(clause, tuple)]
        sources = tuple(source for _, source in clauses)
        heads = [head for head, _ in clauses]
        if all(head is None for head in heads):
            return self._made(syntax.InOrderSource(at, sources), *sources)
        for head, source in clauses:
            if head is None:
                raise SyntaxRefused("Each source of a split needs its portion.", source.at)
        portions = _portions(heads)
        return self._made(syntax.AllottedSource(at, portions, sources), *portions, *sources)

    # --- destinations

    def account_destination(self, children: list[syntax.Expression]) -> syntax.AccountDestination:
        return self._made(syntax.AccountDestination(children[0].at, children[0]), children[0])

    def kept(self, children: list[Token]) -> syntax.Kept:
        return self._made(syntax.Kept(_at(children[0])))

    def destination_clause(self, children: list[object]) -> tuple[object, ...]:
        return tuple(children)

    def destination_block(self, children: list[object]) -> syntax.InOrderDestination | syntax.AllottedDestination:
        at = _at(children[0])
        clauses = [clause for clause in children[1:] if isinstance(clause, tuple)]
        if any(len(clause) == 3 for clause in clauses) or not clauses:
            caps, targets, remaining = _in_order(clauses, at)
            return self._made(syntax.InOrderDestination(at, caps, targets, remaining), *caps, *targets, remaining)
        portions = _portions([head for head, _ in clauses])
        split = tuple(target for _, target in clauses)
        return self._made(syntax.AllottedDestination(at, portions, split), *portions, *split)

    def destination_oneof(self, children: list[object]) -> syntax.OneOfDestination:
        at = _at(children[0])
        caps, targets, remaining = _in_order([clause for clause in children[1:] if isinstance(clause, tuple)], at)
        return self._made(syntax.OneOfDestination(at, caps, targets, remaining), *caps, *targets, remaining)


def _at(token: object) -> Position:
    assert isinstance(token, Token)
    return Position(token.line or 1, token.column or 1)


def _integer(digits: str, at: Position) -> int:
    if len(digits) > MAXIMUM_DIGITS:
        raise LimitExceeded(f"A number has at most {MAXIMUM_DIGITS} digits.", at)
    return int(digits)


def _portions(heads: Sequence[object]) -> tuple[syntax.Expression | None, ...]:
    """Return the portions of a split, None for what remains, which may be said once."""
    portions: list[syntax.Expression | None] = []
    for head in heads:
        if isinstance(head, syntax.Expression):
            portions.append(head)
            continue
        if None in portions:
            raise SyntaxRefused("“remaining” stands once in a split.", _at(head))
        portions.append(None)
    return tuple(portions)


def _in_order(
    clauses: Sequence[tuple[object, ...]], at: Position
) -> tuple[tuple[syntax.Expression, ...], tuple[syntax.Destination, ...], syntax.Destination]:
    caps: list[syntax.Expression] = []
    targets: list[syntax.Destination] = []
    for index, clause in enumerate(clauses):
        target = clause[-1]
        assert isinstance(target, syntax.Destination)
        if len(clause) == 3 and isinstance(clause[1], syntax.Expression):
            caps.append(clause[1])
            targets.append(target)
        elif isinstance(clause[0], syntax.Expression):
            raise SyntaxRefused("A portion cannot stand beside “max”.", clause[0].at)
        elif index != len(clauses) - 1:
            raise SyntaxRefused("“remaining” comes last.", _at(clause[0]))
        else:
            return tuple(caps), tuple(targets), target
    raise SyntaxRefused("The last clause has to be “remaining to …” or “remaining kept”.", at)
