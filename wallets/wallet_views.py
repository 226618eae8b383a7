"""REST of wallets: opened, listed, shown with their balances, closed. Their history is on the orders' floor."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ledger import assets
from ledger.assets import UnknownAsset
from ledger.controls.rest import pages, shapes
from ledger.controls.rest.answers import answer, instant, instant_or_none
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_body, read_query
from ledger.controls.rest.views import ApiView
from wallets import holders
from wallets.wallet_models import Wallet, WalletAsset, WalletFreeze

STATUSES = [("open", "open"), ("frozen", "frozen"), ("closed", "closed")]


class WalletRequest(Shape):
    kind = shapes.Word(choices=Wallet.Kind.choices)
    user_reference = shapes.Text(max_length=64, help_text="your opaque name for its owner: one wallet of each kind")
    assets = serializers.ListField(
        child=shapes.Text(max_length=20), min_length=1, max_length=holders.MOST_ASSETS, help_text="their codes: EUR"
    )


class WalletFreezeRequest(Shape):
    reason = shapes.Text(max_length=200, help_text="for your own people and ours; never shown to anybody else")


class WalletQuery(pages.PageQuery):
    kind = shapes.Word(choices=Wallet.Kind.choices, required=False)
    user_reference = shapes.Text(max_length=64, required=False)


class WalletAnswer(serializers.Serializer[Any]):
    wallet_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=Wallet.Kind.choices)
    user_reference = serializers.CharField()
    status = serializers.ChoiceField(
        choices=STATUSES, help_text="a frozen wallet pays nothing out; it is still credited"
    )
    assets = serializers.ListField(child=serializers.CharField())
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class WalletPage(serializers.Serializer[Any]):
    data = WalletAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class WalletBalanceAnswer(serializers.Serializer[Any]):
    asset = serializers.CharField()
    posted = serializers.CharField(help_text="what is in it")
    held = serializers.CharField(help_text="of that, for payments under way")
    available = serializers.CharField(help_text="what may still be paid: posted less held")
    incoming = serializers.CharField(help_text="under way to it; not to be spent yet")
    receivable = serializers.CharField(help_text="what its owner owes us")


class WalletBalances(serializers.Serializer[Any]):
    wallet_id = serializers.CharField()
    data = WalletBalanceAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so


class WalletsView(ApiView):
    scopes = {"GET": Scope.READ, "POST": Scope.WALLETS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"GET": (pages.MalformedCursor,), "POST": (UnknownAsset, holders.WalletClosed)}

    @extend_schema(operation_id="list_wallets", parameters=[WalletQuery], responses=WalletPage, tags=["wallets"])
    def get(self, request: Request) -> HttpResponse:
        """Your users' and merchants' wallets, newest first."""
        query = read_query(request, WalletQuery)
        mine = _wallets(self)
        shown = mine.filter(**{name: query[name] for name in ("kind", "user_reference") if name in query})
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        return answer({"data": _shown(found), "next": cursor})

    @extend_schema(
        operation_id="open_wallet",
        request=WalletRequest,
        responses={200: WalletAnswer, 201: WalletAnswer},
        tags=["wallets"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Open a wallet. One that is open already is answered (200), with the assets that it lacked."""
        read_query(request, Shape)
        body = read_body(request, WalletRequest)

        def work(now: datetime) -> HttpResponse:
            wallet = holders.open_wallet(
                operator_id=self.caller.operator_id,
                environment=self.caller.environment,
                kind=body["kind"],
                user_reference=body["user_reference"],
                assets=body["assets"],
                now=now,
            )
            made = wallet.opened_at == now
            (shown,) = _shown([wallet])
            return answer(shown, status=201 if made else 200, headers={"Location": f"/v1/wallets/{wallet.reference}"})

        return self.once(work)


class WalletView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_wallet", responses=WalletAnswer, tags=["wallets"])
    def get(self, request: Request, wallet_id: str) -> HttpResponse:
        """One of your wallets."""
        read_query(request, Shape)
        return answer(_shown([_wallet(self, wallet_id)])[0])


class WalletBalancesView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_wallet_balances", responses=WalletBalances, tags=["wallets"])
    def get(self, request: Request, wallet_id: str) -> HttpResponse:
        """What a wallet has of each of its assets: posted, held and available, as of one instant."""
        read_query(request, Shape)
        wallet = _wallet(self, wallet_id)
        rows = [
            {
                "asset": one.asset,
                "posted": assets.text(one.posted, one.asset),
                "held": assets.text(one.held, one.asset),
                "available": assets.text(one.available, one.asset),
                "incoming": assets.text(one.incoming, one.asset),
                "receivable": assets.text(one.receivable, one.asset),
            }
            for one in holders.balances_of(wallet)
        ]
        return answer({"wallet_id": wallet.reference, "data": rows})


class WalletCloseView(ApiView):
    scopes = {"POST": Scope.WALLETS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (holders.WalletNotEmpty,)}

    @extend_schema(operation_id="close_wallet", request=None, responses=WalletAnswer, tags=["wallets"])
    def post(self, request: Request, wallet_id: str) -> HttpResponse:
        """Close an empty wallet. One with money, holds or debts in it is refused; a closed one stays so.

        Only the house opens it again, for what came in afterwards: a pay-in, or a payout that its bank sent back.
        """
        read_query(request, Shape)

        def work(now: datetime) -> HttpResponse:
            found = _wallet(self, wallet_id)
            closed = holders.close_wallet(reference=found.reference, actor=self.caller.actor, now=now)
            return answer(_shown([closed])[0])

        return self.once(work)


class WalletFreezeView(ApiView):
    scopes = {"POST": Scope.WALLETS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (holders.WalletFrozen, holders.WalletClosed)}

    @extend_schema(operation_id="freeze_wallet", request=WalletFreezeRequest, responses=WalletAnswer, tags=["wallets"])
    def post(self, request: Request, wallet_id: str) -> HttpResponse:
        """Freeze a wallet: it pays nothing out until the freeze is lifted, and is still credited. What is held is finished.

        The house may have frozen it too: yours stands beside, and the wallet pays when neither does.
        """
        read_query(request, Shape)
        body = read_body(request, WalletFreezeRequest)

        def work(now: datetime) -> HttpResponse:
            found = _wallet(self, wallet_id)
            holders.freeze_wallet(reference=found.reference, reason=body["reason"], actor=self.caller.actor, now=now)
            return answer(_shown([found])[0])

        return self.once(work)


class WalletLiftView(ApiView):
    scopes = {"POST": Scope.WALLETS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (holders.WalletNotFrozen, holders.FreezeNotYours)}

    @extend_schema(operation_id="lift_wallet_freeze", request=None, responses=WalletAnswer, tags=["wallets"])
    def post(self, request: Request, wallet_id: str) -> HttpResponse:
        """Lift the freeze that you have put. What the house has frozen only the house lifts: `status` stays frozen then."""
        read_query(request, Shape)

        def work(now: datetime) -> HttpResponse:
            found = _wallet(self, wallet_id)
            lifted = holders.lift_freeze(reference=found.reference, actor=self.caller.actor, now=now, only_own=True)
            return answer(_shown([lifted])[0])

        return self.once(work)


def _wallets(view: ApiView) -> "QuerySet[Wallet]":
    return Wallet.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)


def _wallet(view: ApiView, reference: str) -> Wallet:
    return holders.find_wallet(
        reference=reference, operator_id=view.caller.operator_id, environment=view.caller.environment
    )


def _shown(rows: list[Wallet]) -> list[dict[str, Any]]:
    """Show wallets with their assets and freezes, in two queries."""
    held: dict[int, list[str]] = {row.pk: [] for row in rows}
    for wallet_id, asset in (
        WalletAsset.objects.filter(wallet__in=rows).order_by("asset").values_list("wallet", "asset")
    ):
        held[wallet_id].append(asset)
    frozen = set(WalletFreeze.objects.filter(wallet__in=rows, lifted_at=None).values_list("wallet", flat=True))
    return [
        {
            "wallet_id": row.reference,
            "kind": row.kind,
            "user_reference": row.user_reference,
            "status": "closed" if row.closed_at else "frozen" if row.pk in frozen else "open",
            "assets": held[row.pk],
            "opened_at": instant(row.opened_at),
            "closed_at": instant_or_none(row.closed_at),
        }
        for row in rows
    ]
