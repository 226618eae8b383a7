"""No row of one operator or environment is reachable with another's key; a foreign id answers 404 (rule T1)."""

import time
from dataclasses import dataclass, field

import pytest
from pytest_django.fixtures import Settings

from tests.flush import Flush
from tests.rest.calls import Api
from tests.rest.conftest import Shop, by_hand, open_house
from tests.rest.routes import TABLE, Reach, declared, paths
from tests.rest.tables import fingerprint
from tests.rest.world import NOTHING, World, make_world
from wallets.models import OperatorKey

_STANDS_SECONDS = 5.0
"""A world is good for so long: its quotes expire."""

_PUBLIC = {"/v1/", "/v1/schema", "/v1/docs", "/v1/inbox/{provider}"}


@dataclass(frozen=True, slots=True)
class Tenants:
    """A world of one operator's, and the keys of whom it is none of."""

    shop: Api
    strangers: dict[str, Api]
    world: World
    tables: list[str]
    made: float = field(default_factory=time.monotonic)


@pytest.fixture(scope="module")
def kept() -> list[Tenants]:
    return []


@pytest.fixture
def tenants(
    request: pytest.FixtureRequest,
    flush: Flush,
    database: None,
    settings: Settings,
    wallet: object,
    kept: list[Tenants],
) -> Tenants:
    """The world that the last test found, as that one found it; a new one where it is too old."""
    by_hand(settings)
    if kept and time.monotonic() - kept[-1].made < _STANDS_SECONDS:
        flush.bring_back(kept[-1].tables)
        return kept[-1]
    shop, rival, house = (request.getfixturevalue(name) for name in ("shop", "rival", "house"))
    strangers = {"rival": rival.api, "own live key": shop.key(environment="live"), "house": house}
    world = make_world(shop.api)
    kept.append(Tenants(shop.api, strangers, world, flush.keep()))
    return kept[-1]


def test_every_route_has_its_row_when_the_url_conf_has_it() -> None:
    found = dict(declared())
    assert set(found) == set(TABLE)
    assert paths() == _PUBLIC | {name.partition(" ")[2] for name in found}


def test_every_method_says_its_scope_and_its_key_when_it_is_declared() -> None:
    for name, view in declared():
        method = name.partition(" ")[0]
        assert method in view.scopes, name
        assert (method in view.key_rules) == (method != "GET"), name


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_foreign_key_reaches_nothing_when_it_knows_the_id(tenants: Tenants, name: str) -> None:
    world, strangers = tenants.world, tenants.strangers
    route = TABLE[name]
    if route.reach is Reach.HOUSE:
        for who in ("rival", "own live key"):
            before = fingerprint()
            answer = route.call(strangers[who], world)
            assert (answer.status, answer.code, answer.json["scope"]) == (403, "scope_missing", scope_of(name)), who
            assert fingerprint() == before, who
        assert route.call(strangers["house"], world).status == route.status
        return
    for who, stranger in strangers.items():
        before = fingerprint()
        answer = route.call(stranger, world)
        shown = answer.body.decode()
        for reference in (world.quote, world.second_quote, world.order, world.endpoint, world.delivery):
            assert reference not in shown, who
        match route.reach:
            case Reach.ONE:
                assert (answer.status, answer.code) == (404, "not_found"), who
                assert fingerprint() == before, who
            case Reach.LIST:
                assert (answer.status, answer.json["data"]) == (200, []), who
            case Reach.ENVIRONMENT:
                if who == "own live key":
                    assert answer.status == 404 or answer.json["data"] == []
            case Reach.OWN:
                assert answer.status != 404, who
    assert route.call(tenants.shop, world).status == route.status


@pytest.mark.parametrize("name", sorted(TABLE))
def test_nobody_is_answered_when_there_is_no_key(database: None, name: str) -> None:
    answer = TABLE[name].call(Api(), NOTHING)
    assert (answer.status, answer.code) == (401, "not_authenticated")


def test_a_house_scope_opens_nothing_when_an_operators_key_has_it(shop: Shop) -> None:
    """The command refuses to make such a key; a row that says so all the same opens nothing."""
    OperatorKey.objects.filter(operator=shop.operator).update(scopes=["ledger", "finance", "support"])
    for name, route in TABLE.items():
        if route.reach is Reach.HOUSE:
            answer = route.call(shop.api, NOTHING)
            assert (answer.status, answer.code) == (403, "scope_missing"), name


def scope_of(name: str) -> str:
    method = name.partition(" ")[0]
    return str(dict(declared())[name].scopes[method])


@pytest.fixture
def house(pools: None) -> Api:
    return open_house()
