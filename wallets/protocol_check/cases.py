"""The protocol's rules, one case each: what is tried, what must come of it, and what came.

Amounts are a few minor units. What a case debits it gives back; a large credit is debited again.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connections

from ledger.controls import clock
from wallets.gateway_port import RemoteRequest, Reply
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.protocol_check.partner import Partner, other_amount, told

# One more minor unit than a double counts exactly: what passes through a float comes back as another number.
_BEYOND_DOUBLES: Final = 2**53 + 1
_AT_ONCE: Final = 5
_REFUSED: Final = range(400, 500)


@dataclass(frozen=True, slots=True)
class Found:
    """One case's end."""

    expected: str
    got: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    title: str
    run: Callable[[Partner], Found]


def run_all(partner: Partner) -> Iterator[tuple[Case, Found]]:
    """Try every case in order."""
    for case in CASES:
        yield case, case.run(partner)


def _debit(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    reply = partner.ask(request)
    _give_back(partner, request, reply)
    return Found("200: confirmed, with your reference", told(reply), isinstance(reply.outcome, Confirmed))


def _repeat(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    first, second = partner.ask(request), partner.ask(request)
    again = _given_back_twice(partner, request)
    same = isinstance(first.outcome, Confirmed) and first.outcome == second.outcome
    got = f"{told(first)}; again {told(second)}; {_times(again)}"
    return Found("the first answer again, and the money moved once", got, same and not again)


def _other_content(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    first = partner.ask(request)
    reused = partner.ask(other_amount(request, 3))
    seen = partner.look_up(request)
    _give_back(partner, request, first)
    kept = isinstance(first.outcome, Confirmed) and seen.outcome == first.outcome
    passed = kept and reused.http_status == 409 and reused.outcome == Unknown(Cause.CONTRADICTORY)
    return Found("409 key_reused; the first stays as it is", f"{told(reused)}; looked up {told(seen)}", passed)


def _too_late(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    reply = partner.ask(request, not_after=clock.now() - timedelta(seconds=1))
    seen = partner.look_up(request)
    passed = reply.outcome == Rejected("too_late") and seen.absent
    _give_back(partner, request, reply)
    return Found("422 too_late, and nothing under its key", f"{told(reply)}; looked up {told(seen)}", passed)


def _too_late_burns_no_key(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    partner.ask(request, not_after=clock.now() - timedelta(seconds=1))
    reply = partner.ask(request)
    _give_back(partner, request, reply)
    return Found("200: the same key, asked in time, is applied", told(reply), isinstance(reply.outcome, Confirmed))


def _unknown_key(partner: Partner) -> Found:
    reply = partner.look_up(partner.request(partner.new_reference(), "debit", 2))
    return Found("404 not_found with the key", told(reply), reply.absent)


def _known_key(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    asked, seen = partner.ask(request), partner.look_up(request)
    _give_back(partner, request, asked)
    passed = isinstance(asked.outcome, Confirmed) and seen.outcome == asked.outcome
    return Found("200: the operation, at once, with the same reference", told(seen), passed)


def _reverse(partner: Partner) -> Found:
    reference = partner.new_reference()
    partner.ask(partner.request(reference, "debit", 3))
    reply = partner.ask(partner.request(reference, "reverse", 3))
    return Found("200: confirmed", told(reply), isinstance(reply.outcome, Confirmed))


def _reverse_too_much(partner: Partner) -> Found:
    reference = partner.new_reference()
    partner.ask(partner.request(reference, "debit", 3))
    partner.ask(partner.request(reference, "reverse", 3))
    reply = partner.ask(partner.request(reference, "reverse", 3, version=2))
    passed = reply.outcome == Rejected("nothing_to_reverse")
    return Found("422 nothing_to_reverse: all is given back already", told(reply), passed)


def _reverse_nothing(partner: Partner) -> Found:
    reply = partner.ask(partner.request(partner.new_reference(), "reverse", 2))
    return Found("422 nothing_to_reverse", told(reply), reply.outcome == Rejected("nothing_to_reverse"))


def _credit(partner: Partner) -> Found:
    reference = partner.new_reference()
    request = partner.request(reference, "credit", 2)
    reply, again = partner.ask(request), partner.ask(request)
    if isinstance(reply.outcome, Confirmed):
        partner.ask(partner.request(reference, "debit", 2))
    passed = isinstance(reply.outcome, Confirmed) and reply.outcome == again.outcome
    return Found("200: confirmed; again the same", f"{told(reply)}; again {told(again)}", passed)


def _exact_small(partner: Partner) -> Found:
    """An amount that ends in 0 and one of a single minor unit are told as decimal strings of that value."""
    replies = []
    for minor in (1, 10 ** max(partner.scale - 1, 0)):
        request = partner.request(partner.new_reference(), "debit", minor)
        replies.append(partner.ask(request))
        _give_back(partner, request, replies[-1])
    passed = all(isinstance(reply.outcome, Confirmed) for reply in replies)
    return Found("amounts as decimal strings, unchanged", "; ".join(told(reply) for reply in replies), passed)


def _exact_large(partner: Partner) -> Found:
    """A wallet that holds amounts in floats tells another number. One that refuses so large a credit tells none."""
    reference = partner.new_reference()
    request = partner.request(reference, "credit", _BEYOND_DOUBLES)
    reply = partner.ask(request)
    seen = partner.look_up(request)
    if isinstance(reply.outcome, Confirmed):
        partner.ask(partner.request(reference, "debit", _BEYOND_DOUBLES))
    passed = isinstance(reply.outcome, Confirmed | Rejected) and isinstance(seen.outcome, Confirmed | Rejected)
    if isinstance(reply.outcome, Rejected):
        passed = seen.absent or isinstance(seen.outcome, Rejected)
    expected = f"{request.amount_text} {request.asset} unchanged, or refused"
    return Found(expected, f"{told(reply)}; looked up {told(seen)}", passed)


def _forged(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    reply = partner.ask(request, forged=True)
    return _not_taken(partner, request, reply.http_status)


def _forged_lookup(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    asked = partner.ask(request)
    reply = partner.look_up(request, forged=True)
    _give_back(partner, request, asked)
    passed = reply.http_status in _REFUSED and not reply.absent and isinstance(reply.outcome, Unknown)
    return Found("401: a lookup is signed too", told(reply), passed)


def _old_signature(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    return _not_taken(partner, request, partner.ask_an_old_question(request).http_status)


def _signed_for_another_key(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    return _not_taken(partner, request, partner.ask_raw(request, message_id=f"{request.owner}:debit:v9"))


def _other_operation(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    return _not_taken(partner, request, partner.ask_raw(request, path="credit"))


def _no_json(partner: Partner) -> Found:
    request = partner.request(partner.new_reference(), "debit", 2)
    return _not_taken(partner, request, partner.ask_raw(request, body=b'{"operation": "debit", '))


def _at_once(partner: Partner) -> Found:
    """The same ask from several connections at one instant, as after a time-out: one effect."""
    request = partner.request(partner.new_reference(), "debit", 2)

    def ask() -> Reply:
        try:
            return partner.ask(request)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        replies = [future.result() for future in [pool.submit(copy_context().run, ask) for _ in range(_AT_ONCE)]]
    again = _given_back_twice(partner, request)
    ends = sorted({told(reply) for reply in replies})
    passed = len(ends) == 1 and isinstance(replies[0].outcome, Confirmed) and not again
    return Found(
        f"{_AT_ONCE} times the same answer, and the money moved once", f"{'; '.join(ends)}; {_times(again)}", passed
    )


def _not_taken(partner: Partner, request: RemoteRequest, status: int | None) -> Found:
    seen = partner.look_up(request)
    passed = status in _REFUSED and seen.absent
    if isinstance(seen.outcome, Confirmed):
        partner.ask(partner.request(request.owner, "reverse", request.amount_minor))
    got = f"{status or 'no answer'}; looked up {told(seen)}"
    return Found("401 or another 4xx, and nothing under its key", got, passed)


def _give_back(partner: Partner, request: RemoteRequest, reply: Reply) -> None:
    if isinstance(reply.outcome, Confirmed):
        partner.ask(partner.request(request.owner, "reverse", request.amount_minor))


def _given_back_twice(partner: Partner, request: RemoteRequest) -> bool:
    """Give a debit back, then once more: only a wallet that applied it twice has so much to give."""
    partner.ask(partner.request(request.owner, "reverse", request.amount_minor))
    second = partner.ask(partner.request(request.owner, "reverse", request.amount_minor, version=2))
    return isinstance(second.outcome, Confirmed)


def _times(twice: bool) -> str:
    return "it could be given back twice" if twice else "it could be given back once"


CASES: Final = (
    Case("debit", "A debit", _debit),
    Case("repeat", "The same key, the same body", _repeat),
    Case("at_once", "The same key, several times at once", _at_once),
    Case("other_content", "The same key, another body", _other_content),
    Case("too_late", "Not-After has passed", _too_late),
    Case("too_late_key", "Not-After has passed, then in time", _too_late_burns_no_key),
    Case("unknown_key", "Lookup of a key never seen", _unknown_key),
    Case("known_key", "Lookup right after the answer", _known_key),
    Case("reverse", "Reverse of a debit", _reverse),
    Case("reverse_again", "Reverse of what is given back", _reverse_too_much),
    Case("reverse_nothing", "Reverse without a debit", _reverse_nothing),
    Case("credit", "A credit, and again", _credit),
    Case("exact_small", "Small amounts are exact", _exact_small),
    Case("exact_large", "A large amount is exact", _exact_large),
    Case("forged", "A signature of another secret", _forged),
    Case("forged_lookup", "A lookup signed with another secret", _forged_lookup),
    Case("old_signature", "A signature ten minutes old", _old_signature),
    Case("other_key", "Signed for another key", _signed_for_another_key),
    Case("other_operation", "A debit sent to /credit", _other_operation),
    Case("no_json", "A body that is no JSON", _no_json),
)
