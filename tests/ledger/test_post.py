import pytest

from ledger import accounts, balances, journal
from ledger.accounts import Opening
from ledger.drafts import Draft
from ledger.money import Money

pytestmark = pytest.mark.usefixtures("database")


def _world() -> None:
    accounts.open_accounts(
        environment="test",
        openings=[
            Opening("@world", "EUR", accounts.OUTSIDE),
            Opening("pools:A", "EUR", accounts.POOL),
            Opening("pools:B", "EUR", accounts.POOL),
        ],
    )


def _fund(key: str, amount: int, source: str = "@world", target: str = "pools:A", **more: object) -> Draft:
    return Draft(
        event_type="POOL_FUNDING",
        key=key,
        subject="x",
        amounts={"amount": Money(amount, "EUR")},
        accounts={"world": source, "pool": target},
        **more,  # type: ignore[arg-type]
    )


def _codes(*drafts: Draft) -> list[str]:
    return [result.code for result in journal.post(environment="test", drafts=drafts)]


def test_a_list_decides_item_by_item_when_posted_together() -> None:
    _world()
    assert _codes(
        _fund("1", 100),
        _fund("2", 60, "pools:A", "pools:B"),
        _fund("3", 60, "pools:A", "pools:B"),
        _fund("1", 100),
        _fund("1", 101),
        _fund("4", 40, "pools:A", "pools:B", linked=True),
        _fund("5", 1, "pools:A", "pools:B"),
    ) == [
        "created",
        "created",
        "exceeds_credits",
        "exists",
        "exists_with_different_amount",
        "linked_event_failed",
        "exceeds_credits",
    ]
    read = balances.read(environment="test", accounts=[("pools:A", "EUR"), ("pools:B", "EUR"), ("@world", "EUR")])
    assert read[("pools:A", "EUR")].available == 40
    assert read[("pools:B", "EUR")].available == 60
    assert read[("@world", "EUR")].posted == -100
    assert _codes(_fund("3", 60, "pools:A", "pools:B")) == ["id_already_failed"]
