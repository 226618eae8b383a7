"""Money: exact integers; what comes in as text goes out as the same amount; division loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import (
    MAXIMUM_MINOR,
    Asset,
    AssetMismatch,
    InvalidAmount,
    Money,
    Rounding,
    allocate,
    decimal_text,
    divide,
    parse,
    render,
)

SCALES = st.integers(0, 18)
MINOR = st.one_of(st.integers(0, 10**6), st.integers(0, MAXIMUM_MINOR))
JPY, EUR, ETH = Asset("JPY", 0), Asset("EUR", 2), Asset("ETH", 18)

READ = [
    ("0", EUR, 0),
    ("0.00", EUR, 0),
    ("1", EUR, 100),
    ("1.5", EUR, 150),
    ("100.00", EUR, 10_000),
    ("0.01", EUR, 1),
    ("7", JPY, 7),
    ("0.000000000000000001", ETH, 1),
    ("340282366920938463463374607431768211455", JPY, MAXIMUM_MINOR),
    ("340282366920938463463.374607431768211455", ETH, MAXIMUM_MINOR),
]

HOSTILE = [
    *(
        "",
        " ",
        "1 ",
        " 1",
        "1\n",
        "\n1",
        "1\x00",
        "1\u00a0",
        "-1",
        "+1",
        "-0",
        "--1",
        "1e2",
        "1E2",
        "1e-2",
        "0x10",
        "1_000",
    ),
    *("1,00", "1.", ".5", ".", "1.2.3", "01", "00", "00.1", "1.000", "1.001", "NaN", "nan", "Infinity", "inf", "None"),
    *(
        "١",
        "１",
        "1٫5",
        "²",
        "½",
        "1\u200b",
        "\ufeff1",
        "$1",
        "1EUR",
        "1/2",
        "1;DROP",
        "9" * 40,
        "9" * 5000,
        "0." + "0" * 39,
    ),
    "3402823669209384634633746074317682114.56",
    *(1, 1.0, True, None, b"1", ["1"], {"a": "1"}, object()),
]


@pytest.mark.parametrize("text,asset,minor", READ)
def test_amount_is_read_when_it_is_plain_digits(text: str, asset: Asset, minor: int) -> None:
    assert parse(text, asset) == Money(minor, asset.code)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:20])
def test_amount_is_refused_when_it_is_anything_else(text: object) -> None:
    with pytest.raises(InvalidAmount):
        parse(text, EUR)


@pytest.mark.parametrize("text", ["1.0", "1.", "0.1"])
def test_decimals_are_refused_when_the_asset_has_none(text: str) -> None:
    with pytest.raises(InvalidAmount):
        parse(text, JPY)


def test_amount_is_refused_when_it_is_over_the_maximum() -> None:
    with pytest.raises(InvalidAmount):
        parse(decimal_text(MAXIMUM_MINOR + 1, 18), ETH)


@given(MINOR, SCALES)
def test_amount_comes_back_when_written_and_read(minor: int, scale: int) -> None:
    asset = Asset("X", scale)
    text = render(Money(minor, "X"), asset)
    assert len(text.partition(".")[2]) == scale
    assert parse(text, asset).minor == minor
    assert render(Money(-minor, "X"), asset) == ("-" if minor else "") + text


@given(st.text(alphabet="0123456789.-+eE_, ", max_size=12), SCALES)
def test_text_that_is_read_is_written_the_same_but_for_zeros(text: str, scale: int) -> None:
    try:
        money = parse(text, Asset("X", scale))
    except InvalidAmount:
        return
    whole, _, decimals = text.partition(".")
    assert render(money, Asset("X", scale)) == (f"{whole}.{decimals.ljust(scale, '0')}" if scale else whole)


@given(MINOR, st.lists(st.integers(0, 10**12), min_size=1, max_size=12).filter(any))
def test_shares_sum_to_the_whole_and_are_fair(total: int, weights: list[int]) -> None:
    parts = [part.minor for part in allocate(Money(total, "EUR"), weights)]
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part * whole - total * weight + whole < 2 * whole  # within one minor unit of its exact share
        assert weight or not part


@pytest.mark.parametrize(
    "total,weights,parts",
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (1, [1, 1], [1, 0]),
        (5, [0, 1], [0, 5]),
        (10, [1, 2, 3], [2, 3, 5]),
        (0, [3, 4], [0, 0]),
    ],
)
def test_rest_goes_to_the_largest_remainder_and_the_first_wins_a_tie(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert allocate(Money(total, "EUR"), weights) == [Money(part, "EUR") for part in parts]


@pytest.mark.parametrize("total,weights", [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1])])
def test_sharing_is_refused_when_it_makes_no_sense(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError):
        allocate(Money(total, "EUR"), weights)


@given(st.integers(0, 2**200), st.integers(1, 2**130))
def test_division_rounds_as_named(numerator: int, denominator: int) -> None:
    down, up, half = (divide(numerator, denominator, mode) for mode in (Rounding.DOWN, Rounding.UP, Rounding.HALF_UP))
    assert down * denominator <= numerator < (down + 1) * denominator
    assert (up - 1) * denominator < numerator <= up * denominator
    assert half == (up if 2 * (numerator - down * denominator) >= denominator else down)


@pytest.mark.parametrize(
    "numerator,denominator,half_up", [(5, 10, 1), (4, 10, 0), (15, 10, 2), (25, 10, 3), (0, 7, 0), (1, 3, 0), (2, 3, 1)]
)
def test_half_rounds_up(numerator: int, denominator: int, half_up: int) -> None:
    assert divide(numerator, denominator, Rounding.HALF_UP) == half_up


@pytest.mark.parametrize("numerator,denominator", [(-1, 2), (1, 0), (1, -2)])
def test_division_is_refused_when_a_sign_would_decide(numerator: int, denominator: int) -> None:
    for mode in Rounding:
        with pytest.raises(ValueError):
            divide(numerator, denominator, mode)


def test_assets_do_not_mix() -> None:
    with pytest.raises(AssetMismatch):
        Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(AssetMismatch):
        Money(1, "EUR") - Money(1, "USD")
    with pytest.raises(AssetMismatch):
        render(Money(1, "EUR"), JPY)
    assert Money(3, "EUR") - Money(5, "EUR") + Money(1, "EUR") == Money(-1, "EUR")


@pytest.mark.parametrize("minor", [1.0, "1", None, True])
def test_minor_units_are_integers(minor: object) -> None:
    with pytest.raises(InvalidAmount):
        Money(minor, "EUR")  # type: ignore[arg-type]  # what the test is about
