"""Say when a close run is due, and what its last failure was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0002_guards_and_grants"),
    ]

    operations = [
        migrations.AddField(
            model_name="closerun",
            name="attempts",
            field=models.PositiveIntegerField(default=0, help_text="consecutive runs that raised a defect"),
        ),
        migrations.AddField(
            model_name="closerun",
            name="available_at",
            field=models.DateTimeField(help_text="when it is due to run next; empty: nothing to do", null=True),
        ),
        migrations.AddField(
            model_name="closerun",
            name="last_error",
            field=models.CharField(default="", max_length=300),
        ),
        migrations.AlterField(
            model_name="closerun",
            name="control_totals",
            field=models.JSONField(default=dict, help_text="per artifact, and the zero-sum per asset"),
        ),
    ]
