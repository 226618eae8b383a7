"""Keep when a run began to look, by the database's clock: transactions are told by it that the run could not see."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0150_files_made_again_by_a_worker")]

    operations = [
        migrations.AddField(
            model_name="closerun",
            name="seen_at",
            field=models.DateTimeField(help_text="when its last run began to look, by the database's clock", null=True),
        ),
    ]
