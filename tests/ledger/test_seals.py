"""Rule L9: the journal is sealed in a chain of blocks; edits, and a tail cut off behind an outside root, are found."""

import io
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from ledger import seals, verify
from ledger.controls import clock, drains, metrics
from ledger.models import Block, BlockMember, Unsealed
from ledger.verify import OutsideRoot, Uncovered
from tests.ledger.door import (
    CALL,
    ENVIRONMENT,
    Item,
    Move,
    arguments,
    codes,
    open_book,
    plain,
    release,
    reserve,
    results,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.servers import TestServers
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
NOW = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)


def _seal() -> Block:
    block = seals.seal(ENVIRONMENT)
    assert block is not None
    return block


def test_blocks_hold_each_transaction_once_and_chain_to_the_one_before() -> None:
    open_book("a", "b")
    assert seals.seal(ENVIRONMENT) is None
    assert seals.newest(ENVIRONMENT) is None
    first = [r.transaction_id for r in results(plain("1", W, "a", 10), reserve("2", "a", "b", 5))]
    with clock.use(clock.FixedClock(NOW)):
        one = _seal()
    second = [
        results(item)[0].transaction_id for item in (settle("3", "2", Move("a", "b", 1)), plain("4", "a", "b", 1))
    ]
    assert codes(plain("4", "a", "b", 1), plain("5", "a", "b", 100)) == ["exists", "exceeds_credits"]
    two = _seal()
    assert seals.seal(ENVIRONMENT) is None
    assert (one.number, one.members, one.previous_root, one.sealed_at) == (1, 2, "", NOW)
    assert (two.number, two.members, two.previous_root) == (2, 2, one.root)
    assert len({one.root, two.root, one.members_hash, two.members_hash}) == 4
    members = BlockMember.objects.order_by("number", "position").values_list("number", "position", "transaction_id")
    assert list(members) == [(1, 1, first[0]), (1, 2, first[1]), (2, 1, second[0]), (2, 2, second[1])]
    assert seals.newest(ENVIRONMENT) == two
    assert seals.newest("live") is None
    assert Unsealed.objects.count() == 0
    assert _breaks() == {}


def test_seal_is_a_kind_of_work_and_the_newest_root_is_in_the_metrics() -> None:
    open_book("a")
    codes(*(plain(f"{n}", W, "a", 1) for n in range(3)))
    assert drains.depth("seals") == 3
    assert drains.drain("seals") == 3
    assert drains.depth("seals") == 0
    block = seals.newest(ENVIRONMENT)
    assert block is not None
    found = {metric.name: list(metric.collect()) for metric in metrics.registered() if "ledger" in metric.name}
    assert found["holdfast_ledger_block"] == [({"environment": "test", "root": block.root}, 1)]
    assert found["holdfast_ledger_unsealed"] == [({}, 0)]


def test_root_does_not_depend_on_a_sessions_settings(superuser_connection: psycopg.Connection[Any]) -> None:
    open_book("a")
    codes(Item("1", [Move(W, "a", 3)], effective_at=NOW, refs={"trade": "trd_1", "ä": "ö"}), now=NOW)
    for setting in (
        "TimeZone = 'Asia/Bangkok'",
        "DateStyle = 'German'",
        "bytea_output = 'escape'",
        "IntervalStyle = 'iso_8601'",
    ):
        superuser_connection.execute(f"SET {setting}".encode())
    superuser_connection.execute("SELECT * FROM ledger_seal(%s::smallint)", [number_of_test_book()])
    assert _breaks() == {}


def test_what_commits_late_is_sealed_late_and_not_lost(servers: TestServers) -> None:
    """The race of DESIGN.md: an id, a time or a transaction id below the sealed ones appears after them."""
    open_book("a", "b")
    with psycopg.connect(servers.url("holdfast_app")) as slow:
        slow.execute(CALL, arguments([plain("late", W, "a", 1)], book=number_of_test_book(), now=None))
        codes(plain("early", W, "b", 1))
        first = _seal()
        slow.commit()
    second = _seal()
    late, early = (_transaction(key) for key in ("late", "early"))
    assert late < early  # any watermark at the first block's last id would pass it by
    assert _members(first) == [early]
    assert _members(second) == [late]
    assert _breaks() == {}


def test_nothing_is_lost_or_sealed_twice_when_all_post_and_seal_at_once() -> None:
    open_book("a")
    done = threading.Event()

    def posting(number: int) -> int:
        for n in range(30):
            items = [plain(f"{number}:{n}:{k}", W, "a", 1) for k in range(1 + n % 3)]
            assert set(codes(*items)) == {"created"}
        return 0

    def sealing() -> int:
        blocks = 0
        while not done.is_set():
            blocks += seals.seal(ENVIRONMENT) is not None
        return blocks

    def all_posted() -> int:
        ends = run_threads(*(lambda n=n: posting(n) for n in range(3)), timeout=60)
        done.set()
        raise_first(ends)
        return 0

    ends = raise_first(run_threads(sealing, all_posted, sealing, timeout=90))
    drains.drain("seals")
    assert ends[0] + ends[2] > 1
    assert BlockMember.objects.count() == 3 * 60
    assert _breaks() == {}


def test_two_sealers_do_not_wait_for_each_other(servers: TestServers) -> None:
    open_book("a")
    codes(plain("1", W, "a", 1))
    with psycopg.connect(servers.url("holdfast_app")) as other:
        other.execute("SELECT * FROM ledger_seal(%s::smallint)", [number_of_test_book()])
        codes(plain("2", W, "a", 1))
        assert seals.seal(ENVIRONMENT) is None
        other.rollback()
    assert _seal().members == 2
    assert _breaks() == {}


@pytest.fixture
def sealed(superuser_connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Three blocks of two transactions, one unsealed, and a connection that no trigger stops."""
    open_book("a", "b")
    codes(plain("1", W, "a", 100), plain("2", "a", "b", 10), now=NOW)
    _seal()
    codes(reserve("3", "a", "b", 10), plain("4", "a", "b", 5), now=NOW)
    _seal()
    codes(release("5", "3"), plain("6", "b", "a", 5), now=NOW)
    _seal()
    codes(plain("7", W, "a", 1), now=NOW)
    superuser_connection.execute("SET session_replication_role = replica")
    return superuser_connection


_OF = "(SELECT id FROM ledger_transaction WHERE key = '{}')"

DAMAGE = [
    #   what was done                       how                                          named by seals, seal_chain, sealed_once
    (
        "a changed amount",
        f"UPDATE ledger_posting SET amount_minor = amount_minor + 1 WHERE transaction_id = {_OF.format('4')}",
        {"seals": ["4"]},
    ),
    (
        "a changed account",
        f"UPDATE ledger_posting SET debit_account_id = credit_account_id, credit_account_id = debit_account_id"
        f" WHERE transaction_id = {_OF.format('4')}",
        {"seals": ["4"]},
    ),
    ("a changed subject", "UPDATE ledger_transaction SET subject = 'ord_9' WHERE key = '2'", {"seals": ["2"]}),
    ("a changed reference", "UPDATE ledger_transaction SET refs = '{\"trade\": 1}' WHERE key = '2'", {"seals": ["2"]}),
    (
        "a changed time",
        "UPDATE ledger_transaction SET effective_at = effective_at - interval '1 microsecond' WHERE key = '5'",
        {"seals": ["5"]},
    ),
    (
        "two accounts that changed names",
        "UPDATE ledger_account SET address = 'z' WHERE address = 'a';"
        " UPDATE ledger_account SET address = 'a' WHERE address = 'b';"
        " UPDATE ledger_account SET address = 'b' WHERE address = 'z'",
        {"seals": ["1", "2", "3", "4", "5", "6"]},
    ),
    (
        "a deleted posting",
        f"DELETE FROM ledger_posting WHERE transaction_id = {_OF.format('6')}",
        {"seals": ["6"]},
    ),
    (
        "a deleted transaction",
        "DELETE FROM ledger_transaction WHERE key = '2'",
        {"seals": [""]},
    ),
    (
        "a swapped order",
        "UPDATE ledger_block_member SET position = position + 10 WHERE number = 2;"
        " UPDATE ledger_block_member SET position = 13 - position WHERE number = 2",
        {"seals": ["block 2"]},
    ),
    (
        "swapped transactions",
        "CREATE TEMP TABLE before_swap AS SELECT * FROM ledger_block_member WHERE number = 2;"
        " UPDATE ledger_block_member SET transaction_id = uuidv7() WHERE number = 2;"
        " UPDATE ledger_block_member m SET transaction_id = b.transaction_id FROM before_swap b"
        " WHERE b.number = m.number AND b.position = 3 - m.position",
        {"seals": ["3", "4"]},
    ),
    (
        "a deleted member",
        "DELETE FROM ledger_block_member WHERE number = 2 AND position = 2",
        {"seals": ["block 2"], "sealed_once": ["4"]},
    ),
    (
        "an edit that covers its member's digest too",
        f"WITH edited AS (UPDATE ledger_transaction t SET subject = 'ord_9' WHERE t.id = {_OF.format('4')} RETURNING t)"
        " UPDATE ledger_block_member SET digest = '\\x00' WHERE transaction_id = (SELECT (t).id FROM edited)",
        {"seals": ["4", "block 2"]},
    ),
    (
        "a block with another hash",
        "UPDATE ledger_block SET members_hash = repeat('0', 64) WHERE number = 2",
        {"seals": ["block 2"], "seal_chain": ["block 2"]},
    ),
    (
        "a block sealed at another time",
        "UPDATE ledger_block SET sealed_at = now() WHERE number = 2",
        {"seal_chain": ["block 2"]},
    ),
    (
        "a block with another root",
        "UPDATE ledger_block SET root = repeat('0', 64) WHERE number = 2",
        {"seal_chain": ["block 2", "block 3"]},
    ),
    (
        "a deleted block",
        "DELETE FROM ledger_block WHERE number = 2",
        {"seals": ["block 2"], "seal_chain": ["block 3"]},
    ),
    ("a transaction that the sealer will not see", "DELETE FROM ledger_unsealed", {"sealed_once": ["7"]}),
    (
        "a transaction that will be sealed again",
        f"INSERT INTO ledger_unsealed SELECT {_OF.format('1')}, book_id FROM ledger_unsealed",
        {"sealed_once": ["1"]},
    ),
]


@pytest.mark.parametrize("name,how,named", DAMAGE, ids=[row[0] for row in DAMAGE])
def test_damage_behind_a_seal_is_named(
    sealed: psycopg.Connection[Any], name: str, how: str, named: dict[str, list[str]]
) -> None:
    assert _breaks() == {}
    gone = "" if name != "a deleted transaction" else str(_transaction("2"))
    with sealed.transaction():
        for statement in how.split(";"):
            assert sealed.execute(statement.encode()).rowcount > 0
    found = {check: subjects for check, subjects in _breaks().items() if check.startswith("seal")}
    assert found == {check: [gone if subject == "" else subject for subject in named[check]] for check in named}
    status, output = _command()
    assert status == 1
    assert all(subject in output for subjects in found.values() for subject in subjects)


def test_tail_that_was_cut_off_is_found_by_its_outside_root(sealed: psycopg.Connection[Any]) -> None:
    """Whoever may do anything in the database removes the last block with all that it sealed, and repairs the rest."""
    kept = [OutsideRoot(ENVIRONMENT, block.number, block.root) for block in Block.objects.order_by("number")]
    sealed.execute("SET session_replication_role = replica")
    members = "(SELECT transaction_id FROM ledger_block_member WHERE number = 3)"
    for statement in (
        f"UPDATE ledger_hold SET state = 'open', ended_by = NULL, ended_at = NULL WHERE ended_by IN {members}",
        f"DELETE FROM ledger_key WHERE transaction_id IN {members}",
        f"DELETE FROM ledger_posting WHERE transaction_id IN {members}",
        f"DELETE FROM ledger_transaction WHERE id IN {members}",
        "DELETE FROM ledger_block_member WHERE number = 3",
        "DELETE FROM ledger_block WHERE number = 3",
    ):
        assert sealed.execute(statement.encode()).rowcount > 0
    names = [check for check in _breaks() if check.startswith(("seal", "outside"))]
    assert names == []  # by itself the chain is sound
    assert "blocks 1 to 2 and 1 unsealed transactions not covered" in _command()[1]
    assert _breaks(kept[:2]).get("outside_roots") is None
    assert _breaks(kept)["outside_roots"] == ["block 3"]
    status, output = _command("--root", f"2:{kept[1].root}", "--root", f"3:{kept[2].root}")
    assert status == 1
    assert "block 3: missing" in output
    assert "the last block here is 2" in output


def test_tail_that_was_made_anew_is_found_by_its_outside_root(sealed: psycopg.Connection[Any], tmp_path: Path) -> None:
    kept = seals.newest(ENVIRONMENT)
    assert kept is not None
    sealed.execute("UPDATE ledger_transaction SET subject = 'forged' WHERE key = '6'")
    sealed.execute(
        "INSERT INTO ledger_unsealed SELECT transaction_id, book_id FROM ledger_block_member WHERE number = 3"
    )
    sealed.execute("DELETE FROM ledger_block_member WHERE number = 3")
    sealed.execute("DELETE FROM ledger_block WHERE number = 3")
    sealed.execute("SELECT * FROM ledger_seal(%s::smallint)", [number_of_test_book()])
    assert _breaks() == {}
    file = tmp_path / "roots"
    file.write_text(f"# from the log\n\n{ENVIRONMENT} 3 {kept.root.upper()} # of yesterday\n", encoding="utf-8")
    status, output = _command("--roots", str(file))
    assert status == 1
    assert f"outside it is {kept.root}" in output
    file.write_text(f"{ENVIRONMENT} 3 {_root_now()}", encoding="utf-8-sig")
    status, output = _command("--roots", str(file))
    assert (status, "test: nothing not covered by an outside root" in output) == (0, True)


def test_interval_that_no_outside_root_covers_is_named(sealed: psycopg.Connection[Any]) -> None:
    one, two, three = (OutsideRoot(ENVIRONMENT, b.number, b.root) for b in Block.objects.order_by("number"))
    for roots, first in ([], 1), ([one], 2), ([two, one], 3), ([three], 4):
        assert verify.uncovered(environment=ENVIRONMENT, roots=roots) == [Uncovered("test", first, 3, 1)]
    assert [interval.environment for interval in verify.uncovered()] == ["live", "test"]
    assert "test: 1 unsealed transactions not covered" in _command("--root", f"3:{three.root}")[1]


@pytest.mark.parametrize("root", ["x", "1", "1:", "1:abc", f"+1:{'0' * 64}", f"1:{'g' * 64}", f"{'9' * 19}:{'0' * 64}"])
def test_root_that_is_none_is_refused(root: str) -> None:
    with pytest.raises(CommandError, match="is no root"):
        _command("--root", root)


def test_roots_are_refused_when_their_book_or_file_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="name it with --environment"):
        call_command("verify_ledger", root=[f"1:{'0' * 64}"], stdout=io.StringIO())
    with pytest.raises(CommandError, match="cannot be read"):
        _command("--roots", str(tmp_path / "absent"))
    file = tmp_path / "roots"
    for text in ("test 1", f"test 1 {'0' * 64} more", f"other 1 {'0' * 64}"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(CommandError, match="line 1"):
            _command("--roots", str(file))


@pytest.mark.parametrize("table", ["ledger_block", "ledger_block_member", "ledger_unsealed"])
def test_seals_are_written_by_the_sealer_alone(
    application_connection: psycopg.Connection[Any], owner_connection: psycopg.Connection[Any], table: str
) -> None:
    open_book("a")
    codes(plain("1", W, "a", 1))
    _seal()
    codes(plain("2", W, "a", 1))
    verbs = [f"UPDATE {table} SET book_id = book_id", f"TRUNCATE {table}", f"DELETE FROM {table}"]
    for statement in [*verbs, f"INSERT INTO {table} SELECT * FROM {table}"]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application_connection.execute(statement.encode())
    for statement in verbs[: 2 if table == "ledger_unsealed" else 3]:
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner_connection.execute(statement.encode())
    assert _breaks() == {}


def _breaks(roots: list[OutsideRoot] | None = None) -> dict[str, list[str]]:
    return {v.check.name: [f.subject for f in v.findings] for v in verify.verify(roots=roots or []) if v.breaks}


def _command(*arguments: str) -> tuple[int, str]:
    output = io.StringIO()
    try:
        call_command("verify_ledger", "--environment", ENVIRONMENT, *arguments, stdout=output)
    except SystemExit as end:
        return int(end.code or 0), output.getvalue()
    return 0, output.getvalue()


def _transaction(key: str) -> Any:
    from ledger.models import Transaction

    return Transaction.objects.get(key=key).id


def _members(block: Block) -> list[Any]:
    return list(
        BlockMember.objects.filter(number=block.number).order_by("position").values_list("transaction_id", flat=True)
    )


def _root_now() -> str:
    block = seals.newest(ENVIRONMENT)
    assert block is not None
    return block.root
