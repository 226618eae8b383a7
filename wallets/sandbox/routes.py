"""Which counterparty answers a request."""

from urllib.parse import unquote

from wallets.sandbox import asks
from wallets.sandbox.bank import Bank
from wallets.sandbox.bank_faults import PROMPTPAY, TRANSFER
from wallets.sandbox.bank_news import BankMessenger
from wallets.sandbox.clock import Clock
from wallets.sandbox.inspection import Inspection
from wallets.sandbox.instructions import Instructions
from wallets.sandbox.messages import Answer, Request, answered, refused
from wallets.sandbox.news import Messenger
from wallets.sandbox.receiver import WebhookReceiver
from wallets.sandbox.store import Store
from wallets.sandbox.wallet import OperatorWallet


class Sandbox:
    """Every counterparty over one store."""

    def __init__(self, store: Store, wall: Clock, *, pending_seconds: float = 5, hidden_seconds: float = 5) -> None:
        self.wallet = OperatorWallet(store, wall, pending_seconds=pending_seconds, hidden_seconds=hidden_seconds)
        self.bank = Bank(store, wall, pending_seconds=pending_seconds, hidden_seconds=hidden_seconds)
        self.receiver = WebhookReceiver(store, wall)
        self.messenger = Messenger(store, wall)
        self.bank_messenger = BankMessenger(store, wall)
        self._inspection = Inspection(store, wall)
        self._instructions = Instructions(store)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        place, _, rest = request.path.removeprefix("/").partition("/")
        match request.method, place:
            case "POST", "debit" | "credit" | "reverse" if not rest:
                assert place in asks.OPERATIONS
                return self.wallet.ask(place, request)
            case "GET", "operations" if rest and "/" not in rest:
                return self.wallet.look_up(unquote(rest), request)
            case _, "bank":
                return self._bank(rest, request)
            case "POST", "webhooks" if rest and "/" not in rest:
                return self.receiver.receive(unquote(rest), request)
            case "POST", "admin":
                return self._instructions.follow(rest, request)
            case "GET", "inspect":
                return self._inspection.log(rest, request)
            case "GET", "livez" if not rest:
                return answered(200, {"status": "ok"})
            case "GET", "" if not rest:
                return self._inspection.page()
            case _:
                return refused(404, "no_such_page", "There is no such page.")

    def _bank(self, rest: str, request: Request) -> Answer:
        match request.method, rest.split("/"):
            case "POST", ["promptpay", "query"]:
                return self.bank.query(request)
            case "POST", ["promptpay", "confirm"]:
                return self.bank.pay(PROMPTPAY, request)
            case "GET", ["promptpay", "confirmations", key] if key:
                return self.bank.look_up(PROMPTPAY, unquote(key), request)
            case "POST", ["transfers"]:
                return self.bank.pay(TRANSFER, request)
            case "GET", ["transfers", key] if key:
                return self.bank.look_up(TRANSFER, unquote(key), request)
            case _:
                return refused(404, "no_such_page", "There is no such page.")
