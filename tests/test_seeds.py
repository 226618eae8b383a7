"""docs/seeds.md names a file and a test for each sentence: both exist, the test by its name, and no sentence is left out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT.parent / "shared" / "seeds"
_DOCUMENT = ROOT / "docs" / "seeds.md"
_ROW = re.compile(r"\| (?P<source>\w+) \| (?P<sentence>.+) \| `(?P<where>[^`]+)` \| `(?P<test>[^`]+)` \|")
_ASIDE = "- "
_SENTENCE_ENDS = re.compile(r"(?<=[.;:!?]) (?=[A-Z\[{])")
_ENOUGH = 0.35
"""Of a line's characters: a table's cells run together in the documents, and rows quote those that ask for something."""

_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the source documents lie beside the checkout")


def _rows() -> list[re.Match[str]]:
    lines = _DOCUMENT.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith(("| source", "| --"))]
    rows = [_ROW.fullmatch(line) for line in table]
    assert all(rows), [line for line, row in zip(table, rows, strict=True) if row is None]
    return [row for row in rows if row is not None]


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["sentence"][:60])
def test_each_sentence_has_its_file_and_its_test(row: re.Match[str]) -> None:
    assert (ROOT / row["where"]).is_file()
    path, _, name = row["test"].partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@_seeds
def test_the_sentences_are_the_seeds_own_words() -> None:
    text = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in SEEDS.glob("*.txt"))
    quoted = [*(row["sentence"] for row in _rows()), *_asides()]
    assert [sentence for sentence in quoted if sentence not in text] == []


@_seeds
def test_no_sentence_of_the_seeds_is_left_out() -> None:
    rows, asides = [row["sentence"] for row in _rows()], set(_asides())
    left_out = [said for said in _said() if said not in asides and not _is_quoted(said, rows)]
    assert left_out == []


def _asides() -> list[str]:
    """Return what is said and asks for nothing: each a line of the document's list."""
    lines = _DOCUMENT.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(_ASIDE) for line in lines if line.startswith(_ASIDE)]


def _said() -> Iterator[str]:
    """Yield the documents' sentences: a line, or a part of one that ends like a sentence."""
    for path in sorted(SEEDS.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            plain = re.sub(r"^\d+\. ", "", " ".join(line.split()).lstrip("•").strip())
            yield from (part for part in _SENTENCE_ENDS.split(plain) if any(one.isalnum() for one in part))


def _is_quoted(said: str, rows: list[str]) -> bool:
    """Tell whether rows quote it whole, or together so much of it."""
    if any(said in row for row in rows):
        return True
    marked = set[int]()
    for row in rows:
        for found in re.finditer(re.escape(row), said):
            marked |= set(range(*found.span()))
    return len(marked) >= _ENOUGH * len(said)
