"""Each magic value carried through a whole payout on both channels: how docs/sandbox.md says that it ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from ledger.controls.refusals import Refusal
from orders.models import Intent
from orders.operations.create_payout import ChannelUnavailable, RecipientNotPayable
from tests.orders.conftest import bank, fixed_clock, payouts
from tests.orders.payouts import ACCOUNT, MOBILE, PayoutDesk, reloaded
from tests.sandbox_in_process import SandboxTransport
from wallets import gateway_adapters
from wallets.models import Gateway
from wallets.sandbox.bank_faults import BANK_COURSES, QUERY_FAULTS, number_of
from webhooks import outbound

__all__ = ["bank", "fixed_clock", "payouts"]

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000
_FEE = 200


@dataclass(frozen=True)
class End:
    """Where the intent is after some twenty minutes; `paid`: whether the bank really did."""

    word: str
    state: str
    paid: bool = False


ENDS = [
    End("", "settled", True),
    End("declined", "failed"),
    End("insufficient", "failed"),
    End("account-closed", "failed"),
    End("too-late", "failed"),
    End("slow", "settled", True),
    End("timeout-after", "settled", True),
    End("error-after", "settled", True),
    End("reset", "settled", True),
    End("garbled", "settled", True),
    End("other-amount", "settled", True),
    End("other-key", "settled", True),
    End("not-found-for-a-while", "settled", True),
    End("pending", "settled", True),
    End("pending-declined", "failed"),
    End("pending-twice", "settled", True),
    End("pending-reordered", "settled", True),
    End("event-early", "settled", True),
    End("returned", "settled", True),
    End("returned-twice", "settled", True),
    End("pending-long", "authorized", True),
    End("other-amount-always", "manual_review", True),
    End("timeout-before", "manual_review"),
    End("error-before", "manual_review"),
    End("reset-before", "manual_review"),
    End("throttled", "manual_review"),
    End("lost", "manual_review"),
]


@pytest.fixture
def outside(payouts: PayoutDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxTransport]:
    """Every outbound call goes to a sandbox in the test's own time; the channels are as the local stack sets them."""
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", gateway_adapters.adapter)
    for channel in ("promptpay", "bank_transfer"):
        Gateway.objects.filter(channel=channel).update(
            adapter=f"http_{channel}",
            base_url="http://127.0.0.1:8100/bank",
            secret="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            time_limit_ms=2_000,
            requery_backoff_ms=500,
            not_found_horizon_ms=30_000,
            pending_backoff_ms=2_000,
        )
    transport = SandboxTransport(payouts.clock)
    with outbound.use(transport):
        yield transport


def recipient(channel: str, word: str) -> dict[str, str]:
    if channel == "promptpay":
        return {**MOBILE, "proxy_value": number_of(word)} if word else MOBILE
    return {**ACCOUNT, "name": f"magic-{word}.somchai"} if word else ACCOUNT


@pytest.mark.parametrize("channel", ["promptpay", "bank_transfer"])
@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.word or "ordinary")
def test_a_payout_ends_as_its_magic_value_says(
    end: End, channel: str, payouts: PayoutDesk, outside: SandboxTransport
) -> None:
    intent = payouts.pay("1000.00", channel=channel, recipient=recipient(channel, end.word))
    payouts.drive(passes=6, pause=timedelta(seconds=2))
    payouts.drive(passes=25, pause=timedelta(seconds=40))
    assert reloaded(intent).state == end.state
    rows = outside.rows("payments")
    assert [(row["channel"], row["amount"]) for row in rows if row["status"] in ("settled", "returned")] == (
        [(channel, "1000.00")] if end.paid else []
    )
    asks = [row["key"] for row in outside.rows("requests", "pay_") if row["method"] == "POST"]
    assert len(asks) == 1, "a key was submitted twice"
    taken = 100_000 + (_FEE if channel == "promptpay" else 0)
    assert payouts.money() == {
        "settled": (_FUNDS - taken, 0),
        "failed": (_FUNDS, 0),
    }.get(end.state, (_FUNDS, taken))


def test_every_word_has_its_end() -> None:
    assert {end.word for end in ENDS} - {""} == set(BANK_COURSES)


@pytest.mark.parametrize("word", QUERY_FAULTS)
def test_a_recipient_query_that_fails_moves_nothing(word: str, payouts: PayoutDesk, outside: SandboxTransport) -> None:
    refused: type[Refusal] = RecipientNotPayable if word == "unknown-recipient" else ChannelUnavailable
    intent = payouts.begin(recipient=recipient("promptpay", word))
    with pytest.raises(refused):
        payouts.finish(intent)
    assert reloaded(intent).state == (Intent.State.FAILED if word == "unknown-recipient" else Intent.State.CREATED)
    assert payouts.money() == (_FUNDS, 0)
    assert outside.rows("payments") == []
    assert [row["did"] for row in outside.rows("requests")] == ["query"]
