"""What of a crew's threads a shift plays, and when."""

from concurrent.futures import FIRST_COMPLETED, Future

import pytest

from tests.simulation.shifts import Shift
from tests.simulation.stage import Stage
from tests.simulation.world import World


def _shift(stage: Stage, seed: int) -> Shift:
    return Shift(World(seed, stage))


def test_nothing_runs_before_the_crew_waits(played_on: Stage) -> None:
    ran: list[int] = []
    shift = _shift(played_on, 7)
    given: list[Future[None]] = [shift.submit(ran.append, number) for number in range(4)]
    assert ran == []
    while not all(future.done() for future in given):
        done, rest = shift.wait([one for one in given if not one.done()], return_when=FIRST_COMPLETED)
        assert done
        assert not any(future.done() for future in rest)
    assert sorted(ran) == [0, 1, 2, 3]


def test_what_has_ended_ends_a_wait_by_itself(played_on: Stage) -> None:
    shift = _shift(played_on, 7)
    ended: Future[None] = Future()
    ended.set_result(None)
    given: Future[None] = shift.submit(int)
    assert shift.wait([ended, given], return_when=FIRST_COMPLETED) == ({ended}, {given})


def test_order_is_of_chance_and_the_same_for_the_same_seed(played_on: Stage) -> None:
    def order(seed: int) -> list[int]:
        ran: list[int] = []
        shift = _shift(played_on, seed)
        given = [shift.submit(ran.append, number) for number in range(8)]
        while waiting := [one for one in given if not one.done()]:
            shift.wait(waiting, return_when=FIRST_COMPLETED)
        return ran

    orders = {tuple(order(seed)) for seed in (7, 17, 27, 37)}
    assert len(orders) > 1
    assert order(7) == order(7)


def test_death_in_a_thread_is_the_worker_s(played_on: Stage) -> None:
    class Death(BaseException):
        pass

    def dies() -> None:
        raise Death

    shift = _shift(played_on, 7)
    given = shift.submit(dies)
    with pytest.raises(Death):
        shift.wait([given], return_when=FIRST_COMPLETED)
