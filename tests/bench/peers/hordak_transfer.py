"""django-hordak: `Account.transfer_to` between two accounts, as its documentation does a transfer."""

from tests.bench.peers.standing import counted, stand_up


def main() -> None:
    stand_up("mptt", "hordak")
    from hordak.models import Account, Transaction
    from moneyed import Money

    one = Money(1, "EUR")
    payer, payee = (
        Account.objects.create(name=name, type=Account.TYPES.liability, currencies=["EUR"])
        for name in ("payer", "payee")
    )
    before = Transaction.objects.count()
    count = counted(lambda: payer.transfer_to(payee, one))
    assert Transaction.objects.count() - before == count
    assert abs(payee.get_balance()["EUR"].amount) == count


if __name__ == "__main__":
    main()
