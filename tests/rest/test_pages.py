"""Keyset pagination: newest first, every row once, whatever comes in meanwhile."""

from tests.rest.calls import quoted
from tests.rest.conftest import Shop


def test_every_row_is_seen_once_when_rows_come_in_between(shop: Shop) -> None:
    made = [quoted(shop.api)["quote_id"] for _ in range(5)]
    first = shop.api.get("/v1/quotes?limit=2").json
    quoted(shop.api)
    second = shop.api.get(f"/v1/quotes?limit=2&after={first['next']}").json
    third = shop.api.get(f"/v1/quotes?limit=2&after={second['next']}").json
    seen = [row["quote_id"] for page in (first, second, third) for row in page["data"]]
    assert seen == made[::-1]
    assert third["next"] is None


def test_the_place_is_kept_when_its_row_no_longer_passes_the_filter(shop: Shop) -> None:
    made = [quoted(shop.api)["quote_id"] for _ in range(3)]
    first = shop.api.get("/v1/quotes?status=active&limit=2").json
    shop.api.delete(f"/v1/quotes/{made[1]}")
    rest = shop.api.get(f"/v1/quotes?status=active&limit=2&after={first['next']}").json
    assert [row["quote_id"] for row in rest["data"]] == [made[0]]


def test_a_cursor_is_refused_when_it_is_anothers(shop: Shop, rival: Shop) -> None:
    for _ in range(2):
        quoted(shop.api)
    cursor = shop.api.get("/v1/quotes?limit=1").json["next"]
    assert shop.api.get(f"/v1/quotes?after={cursor}").status == 200
    for stranger in (rival.api, shop.key(environment="live")):
        answer = stranger.get(f"/v1/quotes?after={cursor}")
        assert (answer.status, answer.code) == (400, "malformed_cursor")
    assert shop.api.get(f"/v1/orders?after={cursor}").code == "malformed_cursor"


def test_there_is_no_next_page_when_the_last_is_full(shop: Shop) -> None:
    for _ in range(2):
        quoted(shop.api)
    assert shop.api.get("/v1/quotes?limit=2").json["next"] is None
