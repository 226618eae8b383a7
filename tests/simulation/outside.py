"""HTTP as the world owns it: each call reaches the wallet service or the webhook receiver, and may be interrupted."""

import threading
from typing import TYPE_CHECKING

from webhooks.outbound import OutboundRequest, OutboundResponse

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.receiver import Receiver
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
    def __init__(self, world: "World", *, wallet: "WalletService", receiver: "Receiver") -> None:
        self._world = world
        self._wallet = wallet
        self._receiver = receiver

    def send(self, request: OutboundRequest) -> OutboundResponse:
        wallet = request.url.startswith("http://wallet.")
        place = ("ask" if request.method == "POST" else "lookup") if wallet else "webhook"
        process = present()

        def call() -> OutboundResponse:
            return self._wallet.answer(request) if wallet else self._receiver.answer(request)

        if process is None:
            return call()
        answer: OutboundResponse = process.outside(place, call)
        return answer
