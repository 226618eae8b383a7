"""Keep who took which files of a close away."""

from django.db import migrations, models

from ledger.controls.grants import APPEND, grants
from ledger.controls.sql_files import append_only


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0151_when_a_run_began_to_look")]

    operations = [
        migrations.CreateModel(
            name="CloseDownload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("close_reference", models.CharField(db_index=True, max_length=40)),
                ("name", models.CharField(help_text="of the file, or of the ZIP of all", max_length=120)),
                ("actor", models.CharField(max_length=150)),
                ("api_key_id", models.BigIntegerField(help_text="over REST: the key", null=True)),
                ("downloaded_at", models.DateTimeField()),
            ],
        ),
        append_only("reconciliation_closedownload"),
        grants({"reconciliation_closedownload": APPEND}),
    ]
