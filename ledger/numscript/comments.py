"""Comments: `// to the end of the line` and `/* blocks, /* which nest */ */`."""

import re

from ledger.numscript.errors import Position, SyntaxRefused

_TEXT_OR_COMMENT = re.compile(r'"(?:\\"|[^\r\n"])*"|//[^\r\n]*|/\*')
_EDGE = re.compile(r"/\*|\*/")
_INK = re.compile(r"[^\r\n]")


def without_comments(source: str) -> str:
    """Return the source with blanks for comments, so that every place stays where it is. Texts are left alone.

    Raises SyntaxRefused for a block that does not end.
    """
    pieces: list[str] = []
    done = 0
    while (mark := _TEXT_OR_COMMENT.search(source, done)) is not None:
        if mark.group().startswith('"'):
            pieces.append(source[done : mark.end()])
            done = mark.end()
            continue
        end = mark.end() if mark.group() != "/*" else _end_of_block(source, mark.start())
        pieces += (source[done : mark.start()], _INK.sub(" ", source[mark.start() : end]))
        done = end
    pieces.append(source[done:])
    return "".join(pieces)


def place(source: str, offset: int) -> Position:
    """Return the line and column of an offset."""
    before = source[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _end_of_block(source: str, start: int) -> int:
    depth = 0
    for edge in _EDGE.finditer(source, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise SyntaxRefused("This comment is not closed.", place(source, start))
