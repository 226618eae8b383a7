"""A program from outside: its variables, what it needs to know, and what decides about accounts without a limit."""

import json
import timeit
from fractions import Fraction

import pytest

from ledger import accounts, numscript
from ledger.money import Money
from ledger.numscript import Kind, Monetary, Sent, Variable, VariableInvalid, everywhere, execute, parse

ALL_KINDS = """
vars {
  account $account
  asset $asset
  monetary $monetary
  number $number
  portion $portion
  string $string
}
set_tx_meta("account", $account)
set_tx_meta("asset", $asset)
set_tx_meta("monetary", $monetary)
set_tx_meta("number", $number)
set_tx_meta("portion", $portion)
set_tx_meta("string", $string)
"""
TEXTS: dict[str, numscript.Given] = {
    "account": "users:1",
    "asset": "USD/2",
    "monetary": "EUR 100",
    "number": "-7",
    "portion": "12.5%",
    "string": "a b",
}
VALUES: dict[str, numscript.Given] = {
    "account": "users:1",
    "asset": "USD/2",
    "monetary": Money(100, "EUR"),
    "number": -7,
    "portion": Fraction(1, 8),
    "string": "a b",
}


def test_variables_are_listed_in_order_of_declaration() -> None:
    program = parse('vars { account $a number $b = 1 + 2 portion $c = meta($a, "x") monetary $d = balance($a, EUR) }')
    assert program.variables == (
        Variable("a", Kind.ACCOUNT, None),
        Variable("b", Kind.NUMBER, "expression"),
        Variable("c", Kind.PORTION, "meta"),
        Variable("d", Kind.MONETARY, "balance"),
    )


def test_features_are_those_the_script_asks_for() -> None:
    program = parse('#![feature("experimental-oneof")]', features=["experimental-asset-colors"])
    assert program.features == {"experimental-oneof"}
    assert parse("#![feature()]").features == set()


def test_values_are_the_same_given_as_text_or_typed() -> None:
    program = parse(ALL_KINDS)
    from_text = execute(program, TEXTS).transaction_metadata
    assert from_text == execute(program, VALUES).transaction_metadata
    assert from_text["monetary"] == Monetary("EUR", 100)
    assert {key: numscript.text(value) for key, value in from_text.items()} == {
        "account": "users:1",
        "asset": "USD/2",
        "monetary": "EUR 100",
        "number": "-7",
        "portion": "1/8",
        "string": "a b",
    }


@pytest.mark.parametrize(
    "name, values",
    [
        ("account", ["", "x" * 513, "a\0b", 5, None, Money(1, "EUR")]),
        ("asset", ["", "eur", "EUR/", "EUR/1234567", "EUR 1", "E" * 18, 7]),
        ("monetary", ["", "EUR", "EUR ", "EUR 1.5", "EUR  1", "1 EUR", "eur 1", "EUR １", "EUR " + "9" * 79, 5, Fraction(1)]),
        ("number", ["", "1.0", "1_000", "٣", "0x1", True, 2**257, "9" * 79, Fraction(1)]),
        ("portion", ["", "1", "101%", "-1%", "3/2", "1/0", "%", "1.%", "½", 1, Fraction(3, 2), Fraction(-1), "1/" + "9" * 90]),
        ("string", [5, "x" * 4097, None]),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_at_its_declaration(name: str, values: list[numscript.Given]) -> None:
    line = ALL_KINDS.split("\n").index(f"  {name} ${name}") + 1
    for value in values:
        with pytest.raises(VariableInvalid) as caught:
            execute(parse(ALL_KINDS), {**VALUES, name: value})
        assert (caught.value.line, caught.value.column) == (line, 3), value
        assert f"${name}" in caught.value.message


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(VariableInvalid, match=r"\$monetary is missing"):
        execute(parse(ALL_KINDS), {name: value for name, value in TEXTS.items() if name != "monetary"})


@pytest.mark.parametrize(
    "address",
    [
        accounts.operator_due("acme"),
        accounts.order_transit("acme"),
        accounts.fx("EUR"),
        accounts.pool("gold-2"),
        accounts.position("acme", "user@example.org-7._"),
        accounts.ORDER_REVENUE,
        accounts.VAT_PAYABLE,
        accounts.WORLD,
    ],
)
def test_an_account_of_the_book_is_a_value(address: str) -> None:
    program = parse("vars { account $a monetary $m }\nsend $m (source = $a destination = @b)")
    run = execute(program, {"a": address, "m": Money(5, "EUR")}, unbounded=everywhere)
    assert run.postings == (Sent(address, "b", "EUR", 5),)


def test_an_account_without_a_rule_is_unbounded_by_its_row() -> None:
    program = parse("send [EUR 5] (source = @transit destination = @b)")
    with pytest.raises(numscript.MissingFunds):
        execute(program, {})
    run = execute(program, {}, unbounded=lambda address: address == "transit")
    assert run.postings == (Sent("transit", "b", "EUR", 5),)
    assert run.needed_balances == ()


def test_a_bound_in_the_script_holds_an_account_without_a_rule() -> None:
    program = parse("send [EUR 5] (source = {@transit allowing overdraft up to [EUR 2] @world} destination = @b)")
    run = execute(program, {}, unbounded=everywhere)
    assert run.postings == (Sent("transit", "b", "EUR", 2), Sent("world", "b", "EUR", 3))


def test_everything_of_an_account_without_a_rule_is_its_balance() -> None:
    program = parse("send [EUR *] (source = @transit destination = @b)")
    run = execute(program, {}, balances={("transit", "EUR"): 7}, unbounded=everywhere)
    assert run.postings == (Sent("transit", "b", "EUR", 7),)


def test_balances_are_followed_when_they_are_asked_for_though_no_account_has_a_rule() -> None:
    program = parse("send [EUR 5] (source = @a destination = @b)\nsend [EUR *] (source = @b destination = @c)")
    run = execute(program, {}, balances={("b", "EUR"): 2}, unbounded=everywhere)
    assert run.postings == (Sent("a", "b", "EUR", 5), Sent("b", "c", "EUR", 7))


NEEDS = """
#![feature("experimental-mid-script-function-call", "experimental-asset-scaling", "experimental-oneof")]
vars {
  account $user
  monetary $amount
  account $shop = meta($user, "shop")
  monetary $held = balance($shop, USD)
}
send $amount (
  source = {
    @world
    max $held from $user
    oneof { @a:1 @b with scaling through @swap }
    @bank allowing unbounded overdraft
    { 1/2 from @c allowing overdraft up to [EUR 1] remaining from $user }
  }
  destination = { max balance(@d, CHF) to @e remaining to @f }
)
save [GBP *] from @g
save $held from @h
"""


def test_balances_needed_are_known_before_an_execution() -> None:
    program = parse(NEEDS)
    needed = program.balances_needed({"user": "u:1", "amount": "EUR 5"}, metadata={"u:1": {"shop": "s:1"}})
    assert set(needed) == {
        ("s:1", "USD"),
        ("u:1", "EUR"),
        ("a:1", "EUR"),
        ("b", "EUR/*"),
        ("c", "EUR"),
        ("d", "CHF"),
        ("g", "GBP"),
        ("h", "USD"),
    }
    assert len(set(needed)) == len(needed)


def test_an_execution_says_which_balances_it_looked_at() -> None:
    program = parse("send [EUR 5] (source = {@a @b @c} destination = @d)")
    assert program.balances_needed({}) == (("a", "EUR"), ("b", "EUR"), ("c", "EUR"))
    assert execute(program, {}, balances={("b", "EUR"): 5}).needed_balances == program.balances_needed({})


def test_an_execution_leaves_what_it_was_given_as_it_was() -> None:
    program = parse('send [EUR *] (source = @a destination = @b)\nset_account_meta(@a, "k", 1)')
    balances, metadata = {("a", "EUR"): 5}, {"a": {"k": "0"}}
    assert execute(program, {}, balances=balances, metadata=metadata) == execute(
        program, {}, balances=balances, metadata=metadata
    )
    assert (balances, metadata) == ({("a", "EUR"): 5}, {"a": {"k": "0"}})


FREE = [
    ("", True),
    ('set_tx_meta("a", 1)', True),
    ("send [EUR 1] (source = @a destination = @b)", True),
    ("send [EUR 1] (source = @world destination = {1/2 to @a remaining kept})", True),
    ("send [EUR 1] (source = {@a @world} destination = @b)", False),
    ("send [EUR 1] (source = {@world @a} destination = @b)", True),
    ("send [EUR 1] (source = {max [EUR 1] from @world @a} destination = @b)", True),
    ("send [EUR 1] (source = {max [EUR 1] from @a @world} destination = @b)", False),
    ("send [EUR 1] (source = max [EUR 1] from @a destination = @b)", True),
    ("send [EUR 1] (source = {1/2 from @a remaining from @b} destination = @b)", True),
    ("send [EUR 1] (source = {1/2 from {@a @b} remaining from @b} destination = @b)", False),
    ("send [EUR 1] (source = @a allowing unbounded overdraft destination = @b)", True),
    ("send [EUR 1] (source = @a allowing overdraft up to [EUR 5] destination = @b)", False),
    ("send [EUR *] (source = @a destination = @b)", False),
    ("save [EUR 1] from @a", False),
    ("vars { monetary $m = balance(@a, EUR) }", False),
    ('vars { monetary $m = meta(@a, "b") }', False),
    ("vars { monetary $m = overdraft(@a, EUR) }", False),
    ("vars { monetary $m = [EUR 1] + [EUR 2] }\nsend $m (source = @a destination = @b)", True),
    ('set_tx_meta("a", balance(@a, EUR))', False),
    ("send [EUR 1] (source = oneof {@a @world} destination = @b)", False),
    ("send [EUR 1] (source = oneof {@world @a} destination = oneof {remaining to @b})", True),
    ('send [EUR 1] (source = @a \\ "RED" destination = @b)', False),
    ('send [EUR 1] (source = @world \\ "RED" destination = @b)', True),
    ("send [EUR 1] (source = @a with scaling through @b destination = @c)", False),
    ("vars { account $a }\nsend [EUR 1] (source = {$a @b} destination = @c)", False),
]


@pytest.mark.parametrize("source, free", FREE, ids=[source[:60] for source, _ in FREE])
def test_a_script_is_balance_free_when_only_its_variables_decide(source: str, free: bool) -> None:
    assert parse(source, features=list(numscript.Feature)).balance_free is free


def test_a_plain_execution_costs_a_small_multiple_of_reading_its_variables_as_json() -> None:
    """A ratio, so that it holds on every machine; it is about 2."""
    program = parse("""
      vars { monetary $net monetary $fee account $transit account $pool account $user }
      send $net (source = $transit destination = $pool)
      send $fee (source = $transit destination = @revenue:orders)
    """)
    assert program.balance_free
    given: dict[str, numscript.Given] = {
        "net": Money(10_000, "EUR"),
        "fee": Money(100, "EUR"),
        "transit": "transit:orders:acme",
        "pool": "pools:gold",
        "user": "positions:acme:user.1",
    }
    text = json.dumps({name: str(value) for name, value in given.items()})
    executing = min(timeit.repeat(lambda: execute(program, given, unbounded=everywhere), number=500, repeat=20))
    reading = min(timeit.repeat(lambda: json.loads(text), number=500, repeat=20))
    assert executing < 6 * reading
