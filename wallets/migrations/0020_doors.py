"""Give each gateway a breaker, a concurrency limit and pauses with their author; keep what was sent."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0010_secrets_at_rest"),
    ]

    operations = [
        migrations.CreateModel(
            name="Breaker",
            fields=[
                (
                    "gateway",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="breaker",
                        serialize=False,
                        to="wallets.gateway",
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, help_text="in a row, since `failing_since`")),
                ("failing_since", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField(help_text="when it opened last", null=True)),
                ("open_until", models.DateTimeField(null=True)),
                (
                    "openings",
                    models.PositiveIntegerField(default=0, help_text="in a row, without an answer in between"),
                ),
                ("probe_token", models.CharField(default="", max_length=32)),
                ("probe_until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="GatewayPause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=200)),
                ("paused_by", models.CharField(max_length=150)),
                ("paused_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("lifted_by", models.CharField(default="", max_length=150)),
                ("lifted_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="gateway",
            name="breaker_failures",
            field=models.PositiveSmallIntegerField(
                default=10, help_text="so many questions in a row that it fails open its circuit"
            ),
        ),
        migrations.AddField(
            model_name="gateway",
            name="breaker_open_ms",
            field=models.PositiveIntegerField(default=10000, help_text="doubles with each probe that fails"),
        ),
        migrations.AddField(
            model_name="gateway",
            name="breaker_window_ms",
            field=models.PositiveIntegerField(default=60000, help_text="within this time"),
        ),
        migrations.AddField(
            model_name="gateway",
            name="concurrency",
            field=models.PositiveSmallIntegerField(
                default=12, help_text="questions that run at once, of all workers: keep it below their threads"
            ),
        ),
        migrations.AddField(
            model_name="remoteattempt",
            name="question",
            field=models.CharField(default="", help_text="the beginning of what was sent, redacted", max_length=500),
        ),
        migrations.AddIndex(
            model_name="remoteoperation",
            index=models.Index(
                condition=models.Q(("lease_until__isnull", False)),
                fields=["gateway_id", "lease_until"],
                name="remote_operation_leased",
            ),
        ),
        migrations.AddIndex(
            model_name="remoteoperation",
            index=models.Index(
                condition=models.Q(("state__in", ["prepared", "asked", "unknown"])),
                fields=["gateway_id", "state"],
                name="remote_operation_open",
            ),
        ),
        migrations.AddField(
            model_name="gatewaypause",
            name="gateway",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="pauses", to="wallets.gateway"
            ),
        ),
    ]
