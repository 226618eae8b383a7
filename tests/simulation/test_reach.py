"""What the worlds of CI have to meet: everything that the machines declare, but for what is excused with a reason."""

from ledger.controls import machines
from tests.simulation import reach
from tests.simulation.played import Reach


def _everything() -> Reach:
    whole = Reach()
    for machine in machines.every():
        for source, target in machine.edges():
            whole.edges[machine.name, source, target] = 1
    for edge in reach.EXCUSED:
        del whole.edges[edge]
    for kind, things in reach.THINGS.items():
        for thing in things:
            whole.things[kind, thing] = 1
    return whole


def test_nothing_is_missing_when_every_edge_and_fault_was_met() -> None:
    assert reach.missing(_everything()) == []


def test_edge_that_was_not_met_is_named() -> None:
    whole = _everything()
    del whole.edges["order", "compensation_pending", "compensated"]
    del whole.things["crash", "after ask"]
    assert reach.missing(whole) == ["order: compensation_pending → compensated", "crash: after ask"]


def test_what_was_met_least_is_counted_first() -> None:
    whole = _everything()
    whole.things["crash", "after ask"] = 0
    whole.edges["order", "compensation_pending", "compensated"] = 7
    counted = reach.counts(whole)
    assert counted[0] == (0, "crash: after ask")
    assert counted[-1] == (7, "order: compensation_pending → compensated")
    assert {number for number, _ in counted[1:-1]} == {1}


def test_excuse_that_is_none_any_more_is_named() -> None:
    whole = _everything()
    for edge in reach.EXCUSED:
        whole.edges[edge] = 1
    assert len(reach.missing(whole)) == len(reach.EXCUSED)


def test_excused_edges_and_machines_exist() -> None:
    declared = {(machine.name, *edge) for machine in machines.every() for edge in machine.edges()}
    assert set(reach.EXCUSED) <= declared
    assert set(reach.ELSEWHERE) <= {machine.name for machine in machines.every()}
