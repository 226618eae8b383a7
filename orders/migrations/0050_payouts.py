"""Payouts have returns of their own, review cases, work rows, and a kind of what the status poller finds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0041_stale_intents")]

    operations = [
        migrations.AddField(
            model_name="return",
            name="intent_reference",
            field=models.CharField(db_index=True, default="", help_text="of a payout's return", max_length=40),
        ),
        migrations.AlterField(
            model_name="return",
            name="kind",
            field=models.CharField(
                choices=[
                    ("trade_returned", "Trade Returned"),
                    ("late_effect", "Late Effect"),
                    ("payout_returned", "Payout Returned"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="return",
            name="leg",
            field=models.CharField(
                help_text="the movement that does not belong: debit, credit, reverse, submit", max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="return",
            name="order_reference",
            field=models.CharField(db_index=True, default="", help_text="empty: a payout's", max_length=40),
        ),
        migrations.AlterField(
            model_name="reviewcase",
            name="subject",
            field=models.CharField(db_index=True, help_text="the order, intent or return", max_length=40),
        ),
        migrations.AlterField(
            model_name="sagarun",
            name="subject",
            field=models.CharField(
                help_text="what it advances: an order, return, trade, intent, payout", max_length=40, unique=True
            ),
        ),
        migrations.AlterField(
            model_name="stalefinding",
            name="kind",
            field=models.CharField(
                choices=[
                    ("order", "Order"),
                    ("return", "Return"),
                    ("remote operation", "Operation"),
                    ("trade", "Trade"),
                    ("hold", "Hold"),
                    ("intent", "Intent"),
                    ("payout", "Payout"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "payout_returned")),
                fields=("intent_reference",),
                name="return_of_payout_once",
            ),
        ),
    ]
