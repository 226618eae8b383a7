"""Keep what a locked date moved, and what the proof of a close under review came to; let a window's functions run in parallel."""

from django.db import migrations, models

from ledger.controls.grants import EVERY, grants

_FUNCTIONS = (
    *("close_orders", "close_quotes", "close_trades", "close_returns", "close_intents", "close_payouts"),
    *("close_statement_lines", "close_amount", "close_text", "close_time"),
)


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0030_review_notices"),
    ]

    operations = [
        migrations.AddField(
            model_name="closerun",
            name="movements_kept_at",
            field=models.DateTimeField(help_text="when what the locked date moved was written down", null=True),
        ),
        migrations.AddField(
            model_name="closerun",
            name="proof",
            field=models.JSONField(
                default=dict, help_text="of a close under review: what making its files again came to"
            ),
        ),
        migrations.CreateModel(
            name="DayMovement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("close_reference", models.CharField(db_index=True, max_length=40)),
                ("book_id", models.SmallIntegerField()),
                ("window_from", models.DateTimeField()),
                ("window_to", models.DateTimeField()),
                ("account_id", models.BigIntegerField()),
                ("debits_posted", models.DecimalField(decimal_places=0, max_digits=39)),
                ("credits_posted", models.DecimalField(decimal_places=0, max_digits=39)),
                ("debits_pending", models.DecimalField(decimal_places=0, max_digits=39)),
                ("credits_pending", models.DecimalField(decimal_places=0, max_digits=39)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account_id", "close_reference"), name="day_movement_once")
                ],
            },
        ),
        grants({"reconciliation_daymovement": EVERY}),
        migrations.RunSQL(
            "".join(f"ALTER FUNCTION {name} PARALLEL SAFE;" for name in _FUNCTIONS),
            reverse_sql="".join(f"ALTER FUNCTION {name} PARALLEL UNSAFE;" for name in _FUNCTIONS),
        ),
    ]
