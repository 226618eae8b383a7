"""Whose records speak of a review case: one source for its page, for REST and for what a resolution would do."""

from dataclasses import dataclass

from orders.models import Intent, Order, Payout, Return, ReviewCase, Trade


@dataclass(frozen=True, slots=True)
class Records:
    """What a case is about. `found` is its return; its order or intent is the one that the return came after."""

    found: Return | None
    order: Order | None
    intent: Intent | None
    payout: Payout | None
    trades: list[Trade]

    @property
    def subjects(self) -> list[str]:
        """Those whose postings they are: the return, the order or intent, the payout."""
        rows = (self.found, self.order, self.intent, self.payout)
        return [row.reference for row in rows if row is not None]

    @property
    def owners(self) -> list[str]:
        """Those whose remote movements they are: a venue's legs are their trade's, a channel's the payout's."""
        return [*self.subjects, *(trade.reference for trade in self.trades)]


def records_of(case: ReviewCase) -> Records:
    """Gather what a case is about, by stored ids."""
    found = Return.objects.filter(reference=case.subject).first()
    order = Order.objects.filter(reference=found.order_reference if found else case.subject).first()
    intent = Intent.objects.filter(reference=found.intent_reference if found else case.subject).first()
    return Records(
        found=found,
        order=order,
        intent=intent,
        payout=Payout.objects.filter(intent_reference=intent.reference).first() if intent else None,
        trades=list(Trade.objects.filter(order_reference=order.reference).order_by("pk")) if order else [],
    )
