"""Keep what the status poller found waiting with nobody to drive it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0011_markets"),
    ]

    operations = [
        migrations.CreateModel(
            name="StaleFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "subject",
                    models.CharField(help_text="a reference, or a remote operation's key", max_length=120, unique=True),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("order", "Order"),
                            ("return", "Return"),
                            ("remote operation", "Operation"),
                            ("trade", "Trade"),
                            ("hold", "Hold"),
                        ],
                        max_length=20,
                    ),
                ),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("state", models.CharField(help_text="the state that it waited in", max_length=40)),
                ("done", models.CharField(help_text="what the poller did about it", max_length=80)),
                ("times", models.PositiveIntegerField(default=1)),
                ("first_found_at", models.DateTimeField()),
                ("last_found_at", models.DateTimeField()),
                ("again_at", models.DateTimeField(help_text="in the same state it is looked at again from then on")),
            ],
            options={
                "indexes": [models.Index(fields=["kind", "last_found_at"], name="stale_found")],
            },
        ),
    ]
