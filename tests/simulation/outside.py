"""HTTP as the world owns it: each call reaches wallet, bank, venue or webhook receiver, and may be interrupted."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from webhooks.outbound import OutboundRequest, OutboundResponse

if TYPE_CHECKING:
    from tests.simulation.bank_service import BankService
    from tests.simulation.processes import Process
    from tests.simulation.receiver import Receiver
    from tests.simulation.venue_service import VenueService
    from tests.simulation.wallet_service import WalletService
    from tests.simulation.world import World

_here = threading.local()


def belongs_to(process: "Process | None") -> None:
    """Say which process this thread is."""
    _here.process = process


def present() -> "Process | None":
    """Return the process that this thread is, if it is one."""
    return getattr(_here, "process", None)


class Outside:
    def __init__(
        self,
        world: "World",
        *,
        wallet: "WalletService",
        bank: "BankService",
        venue: "VenueService",
        receiver: "Receiver",
    ) -> None:
        self._world = world
        self._wallet = wallet
        self._bank = bank
        self._venue = venue
        self._receiver = receiver

    def send(self, request: OutboundRequest) -> OutboundResponse:
        place, answers = self._at(request)
        process = present()

        def call() -> OutboundResponse:
            return answers(request)

        if process is None:
            return call()
        answer: OutboundResponse = process.outside(place, call)
        return answer

    def _at(self, request: OutboundRequest) -> tuple[str, Callable[[OutboundRequest], OutboundResponse]]:
        """Return what kind of place this is, and who answers there."""
        if request.url.startswith("http://wallet."):
            return ("ask" if request.method == "POST" else "lookup"), self._wallet.answer
        if request.url.startswith("http://bank."):
            if request.url.endswith("/query"):
                return "query", self._bank.answer
            return ("ask" if request.method == "POST" else "lookup"), self._bank.answer
        if request.url.startswith("http://venue."):
            if request.url.endswith("/quotes"):
                return "query", self._venue.answer
            return ("ask" if request.method == "POST" else "lookup"), self._venue.answer
        return "webhook", self._receiver.answer
