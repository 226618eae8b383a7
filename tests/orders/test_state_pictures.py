"""Pictures of states: the documents are the machines', and a row lights its own way."""

import pytest
from django.template import Context, Template

from ledger.controls import machines, state_documents
from ledger.controls.state_pictures import picture_of
from ledger.models import Move
from tests.ledger.test_machines import MACHINES
from tests.orders.desk import Desk, reloaded, trade_of
from tests.orders.wallet import declined, lost_before

pytestmark = pytest.mark.usefixtures("database")


def test_documents_are_those_of_the_machines() -> None:
    for path, text in state_documents.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run manage.py draw_states"
    pictures = {path.stem for path in (state_documents.DOCS / "states").glob("*.svg")}
    assert sorted(pictures) == MACHINES


@pytest.mark.parametrize("name", MACHINES)
def test_every_declared_move_says_when_it_is_made(name: str) -> None:
    machine = machines.named(name)
    assert [(move.source, move.target) for move in machine.moves() if not move.meaning.strip()] == []
    assert {(move.source, move.target) for move in machine.moves()} == set(machine.edges()[1:])


def test_the_picture_is_lit_by_where_an_order_is_was_and_may_go(desk: Desk) -> None:
    desk.wallet.script = [lost_before, lost_before]
    order = desk.order("300.00")
    desk.drive(passes=12)
    picture = picture_of(machines.named("order"), row=reloaded(order))
    kinds = {one.box.state: one.kind for one in picture.boxes}
    assert kinds == {
        "queued": "walked",
        "processing": "walked",
        "operator_debit_pending": "walked",
        "manual_review": "here",
        "operator_debited": "possible",
        "operator_credit_pending": "possible",
        "processed": "possible",
        "failed": "possible",
        "compensation_pending": "possible",
        "compensated": "possible",
    }
    walked = {(one.line.source, one.line.target) for one in picture.lines if one.kind == "walked"}
    assert walked == {
        ("queued", "processing"),
        ("processing", "operator_debit_pending"),
        ("operator_debit_pending", "manual_review"),
    }
    ahead = {(one.line.source, one.line.target) for one in picture.lines if one.kind == "possible"}
    assert {source for source, _ in ahead} == {"manual_review"}
    assert len(ahead) == 6
    assert picture.walked == ("queued", "processing", "operator_debit_pending", "manual_review")


def test_nothing_is_possible_when_it_has_ended(desk: Desk) -> None:
    desk.wallet.script = [declined, None]
    order = desk.order("30.00")
    desk.drive(passes=3)
    for row in (reloaded(order), trade_of(order)):
        picture = picture_of(machines.named(row.MACHINE), row=row)
        assert picture.possible == ()
        assert [one for one in [*picture.boxes, *picture.lines] if one.kind == "possible"] == []
        assert "nowhere: it has ended" in picture.told


def test_the_tag_draws_a_row_a_machine_or_nothing(desk: Desk) -> None:
    order = reloaded(desk.order("30.00"))
    drawn = _tag(order)
    assert drawn.count('class="state here"') == 1
    assert "Walked: queued." in drawn
    assert 'data-machine="order"' in _tag("order")
    assert 'class="state here"' not in _tag("order")
    assert _tag(None).strip() == _tag(object()).strip() == ""


def test_words_of_people_are_text_in_a_picture(desk: Desk) -> None:
    order = reloaded(desk.order("30.00"))
    forged = Move(machine="order", subject=order.reference, from_state="queued", to_state="processing")
    forged.actor, forged.cause, forged.moved_at = "user:<script>", '"><script>alert(1)</script>', order.created_at
    picture = picture_of(machines.named("order"), row=order, moves=[forged])
    svg = Template('{% include "console/state_svg.html" %}').render(Context({"picture": picture, "kinds": ["plain"]}))
    assert "<script>" not in svg
    assert "&lt;script&gt;alert(1)" in svg


def _tag(of: object) -> str:
    return Template("{% load state_diagrams %}{% state_diagram of %}").render(Context({"of": of}))
