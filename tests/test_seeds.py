"""docs/seeds.md names a file and a test for each sentence: both exist, and the test is collected by its name."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_ROW = re.compile(r"\| (?P<source>\w+) \| (?P<sentence>.+) \| `(?P<where>[^`]+)` \| `(?P<test>[^`]+)` \|")
SEEDS = ROOT.parent / "shared" / "seeds"


def _rows() -> list[re.Match[str]]:
    lines = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8").splitlines()
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


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the source documents lie beside the checkout")
def test_the_sentences_are_the_seeds_own_words() -> None:
    text = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in SEEDS.glob("*.txt"))
    missing = [row["sentence"] for row in _rows() if row["sentence"] not in text]
    assert missing == []
