"""Create providers, inbound events, the counts of what is not stored, and booked provider transactions."""

import django.db.models.deletion
import django_fsm
from django.db import migrations, models

import ledger.controls.encrypted_field


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0005_secrets_at_rest"),
    ]

    operations = [
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(help_text="its path: /v1/inbox/{code}", max_length=60, unique=True)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField(help_text="whose provider it is; null: the house's", null=True)),
                (
                    "scheme",
                    models.CharField(
                        choices=[
                            ("standard-webhooks", "Standard"),
                            ("hmac-sha256-hex", "Hmac Hex"),
                            ("hmac-sha256-base64", "Hmac Base64"),
                            ("hmac-sha256-timestamped", "Hmac Timestamped"),
                        ],
                        max_length=30,
                    ),
                ),
                (
                    "signature_header",
                    models.CharField(blank=True, default="", help_text="of the HMAC schemes", max_length=60),
                ),
                (
                    "timestamp_header",
                    models.CharField(blank=True, default="", help_text="of the plain HMAC schemes", max_length=60),
                ),
                ("tolerance_seconds", models.PositiveIntegerField(default=300)),
                ("size_limit", models.PositiveIntegerField(default=65536, help_text="bytes of a body")),
                (
                    "mapping",
                    models.JSONField(
                        default=dict, help_text="paths in the body: event_id, kind, transaction, and subjects (a list)"
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("disabled_at", models.DateTimeField(null=True)),
                ("disabled_reason", models.CharField(default="", max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="InboundEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=40, unique=True)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("received", "Received"),
                            ("applied", "Applied"),
                            ("ignored", "Ignored"),
                            ("parked", "Parked"),
                            ("dead", "Dead"),
                        ],
                        default="received",
                        max_length=40,
                        protected=True,
                    ),
                ),
                ("provider_id", models.BigIntegerField()),
                ("provider_code", models.CharField(max_length=60)),
                ("provider_event_id", models.CharField(max_length=255)),
                ("kind", models.CharField(default="", max_length=100)),
                (
                    "subjects",
                    models.JSONField(default=list, help_text="the ids that it is about: quote, trade, operation key"),
                ),
                (
                    "provider_transaction",
                    models.CharField(default="", help_text="the provider's own reference", max_length=255),
                ),
                ("body", models.BinaryField(help_text="the raw bytes that the signature covers")),
                ("payload_reference", models.CharField(help_text="sha256: and the digest of the body", max_length=71)),
                ("headers", models.JSONField(default=dict, help_text="those that are no secret")),
                ("request_id", models.CharField(max_length=128)),
                ("available_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0, help_text="tries that count towards the cap")),
                ("reason", models.CharField(default="", max_length=300)),
                ("judged_at", models.DateTimeField(help_text="when it was applied, ignored or given up", null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["received", "parked"])),
                        fields=["available_at", "id"],
                        name="inbound_event_due",
                    ),
                    models.Index(
                        condition=models.Q(("state", "dead")), fields=["judged_at"], name="inbound_event_dead"
                    ),
                    models.Index(fields=["-created_at", "-id"], name="inbound_event_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider_id", "provider_event_id"), name="inbound_event_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="InboxCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider_code", models.CharField(help_text="empty: no provider that we know", max_length=60)),
                ("reason", models.CharField(max_length=40)),
                ("day", models.DateField()),
                ("count", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("provider_code", "reason", "day"), name="inbox_count_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderSecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "secret",
                    ledger.controls.encrypted_field.EncryptedField(
                        help_text="encrypted at rest; shown once, never logged"
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="secrets", to="webhooks.provider"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProviderTransaction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider_id", models.BigIntegerField()),
                ("reference", models.CharField(max_length=255)),
                ("kind", models.CharField(max_length=60)),
                (
                    "event_reference",
                    models.CharField(db_index=True, help_text="the inbound event that booked it", max_length=40),
                ),
                ("booked_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider_id", "reference", "kind"), name="provider_transaction_once"
                    )
                ],
            },
        ),
    ]
