"""docs/close.md names every check of the close, in its words."""

from pathlib import Path

from django.conf import settings

from reconciliation import check_registry


def test_the_document_has_each_check_with_its_words() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip("|\n").split("|"))
        for line in (Path(settings.BASE_DIR) / "docs" / "close.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    checks = [(check.title, check.meaning, check.first_action) for check in check_registry.every_check()]
    assert len(checks) > 10
    assert [check for check in checks if check not in rows] == []
