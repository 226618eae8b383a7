"""Who takes a close's files away gets those that were recorded, of one run, or none; those that were signed stay."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from ledger.controls import clock, drains
from reconciliation import artifact_zip, reopening
from reconciliation.models import CloseArtifact, CloseRun, CloseSignature
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import files, locked, sign, submit

pytestmark = pytest.mark.usefixtures("database")


def _held_together(blocks: Iterable[bytes]) -> set[str]:
    """Return the names in a package whose manifest is that of its files."""
    with zipfile.ZipFile(io.BytesIO(b"".join(blocks))) as package:
        listed = {file["name"]: file["sha256"] for file in json.loads(package.read("manifest.json"))["files"]}
        found = {name: hashlib.sha256(package.read(name)).hexdigest() for name in package.namelist()}
    del found["manifest.json"]
    assert found == listed
    return set(found)


@pytest.mark.parametrize("name", ["orders.csv", "manifest.json"])
def test_a_file_that_was_changed_in_its_place_is_not_given_away(name: str, day: Day) -> None:
    day.processed()
    close = locked(day)
    path = day.files / "test" / DATE.isoformat() / name
    path.write_bytes(path.read_bytes().replace(b"test", b"live"))
    for take in (
        lambda: artifact_zip.stream(close),
        lambda: artifact_zip.opened(close, name),
    ):
        with pytest.raises(artifact_zip.FilesMissing):
            take()
    assert artifact_zip.opened(close, "trades.csv")["trades.csv"].read() == files(day)["trades.csv"]


def test_a_package_that_is_being_taken_is_of_one_run(day: Day) -> None:
    day.processed()
    day.close()
    blocks = artifact_zip.stream(CloseRun.objects.get())
    begun = next(iter(blocks))
    day.processed("20.00")
    day.close()
    assert "ledger.csv" in _held_together([begun, *blocks])


def test_the_files_that_were_signed_stay_when_the_date_is_opened_again(day: Day) -> None:
    day.processed()
    close = locked(day)
    signed = files(day)
    kept = day.files / "test" / f"{DATE.isoformat()}.signed-{close.runs}"
    reopening.propose_reopening(close_reference=close.reference, reason="wrong", maker="user:a", now=clock.now())
    reopening.approve_reopening(close_reference=close.reference, reason="agreed", checker="user:b", now=clock.now())
    day.plant("UPDATE orders_order SET user_reference = 'another'")
    assert drains.drain("closes") == 1
    assert files(day)["orders.csv"] != signed["orders.csv"]
    assert _in(kept) == signed
    told = CloseSignature.objects.filter(run=close.runs, role="reviewer").values_list("files", flat=True).get()
    assert {name: hashlib.sha256(content).hexdigest() for name, content in _in(kept).items()} == told
    submit()
    sign()
    assert _in(kept) == signed
    assert CloseArtifact.objects.get(name="orders.csv").path == f"test/{DATE.isoformat()}/orders.csv"


def _in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
