"""Let a close's files be made again by a worker: who asked, and what it came to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0135_notices_mailed_once")]

    operations = [
        migrations.AddField(
            model_name="closerun",
            name="files_asked_at",
            field=models.DateTimeField(
                help_text="when somebody asked for its files again; empty: nobody waits", null=True
            ),
        ),
        migrations.AddField(
            model_name="closerun", name="files_asked_by", field=models.CharField(default="", max_length=150)
        ),
        migrations.AddField(
            model_name="closerun",
            name="files_made_again",
            field=models.JSONField(default=dict, help_text="what that came to last: by whom, when, files or failure"),
        ),
    ]
