"""django-ledger: `commit_txs` of one posted journal entry between two accounts, its own call for a transfer."""

from decimal import Decimal

from tests.bench.peers.standing import counted, stand_up


def main() -> None:
    stand_up("django_ledger")
    from django.contrib.auth import get_user_model
    from django.utils import timezone
    from django_ledger.io import roles
    from django_ledger.models import EntityModel, TransactionModel

    admin, _ = get_user_model().objects.get_or_create(username="bench")
    entity = EntityModel.create_entity(name="bench", use_accrual_method=True, admin=admin, fy_start_month=1)
    entity.create_chart_of_accounts(assign_as_default=True, commit=True)
    payer, payee = (
        entity.create_account(code=code, role=roles.LIABILITY_CL_OTHER, name=code, balance_type="credit", active=True)
        for code in ("2010", "2020")
    )
    book = entity.create_ledger(name="bench", posted=True)
    one = Decimal(1)

    def transfer() -> None:
        entry, _ = book.commit_txs(
            je_timestamp=timezone.now(),
            je_txs=[
                {"account": payer, "amount": one, "tx_type": "debit", "description": "bench"},
                {"account": payee, "amount": one, "tx_type": "credit", "description": "bench"},
            ],
            je_posted=True,
        )
        assert entry.posted

    count = counted(transfer)
    assert TransactionModel.objects.filter(account=payee, journal_entry__posted=True).count() == count


if __name__ == "__main__":
    main()
