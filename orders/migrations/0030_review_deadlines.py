"""Say when each review case is due and when it is looked at next; those open already are due in a day from now."""

from django.db import migrations, models

_OPEN_ONES = "UPDATE orders_reviewcase SET due_at = now() + interval '24 hours' WHERE state <> 'resolved'"


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0022_venue_grants"),
    ]

    operations = [
        migrations.AddField(
            model_name="reviewcase",
            name="due_at",
            field=models.DateTimeField(help_text="by its reason's SLA, from when it was opened", null=True),
        ),
        migrations.AddField(
            model_name="reviewcase",
            name="next_review_on",
            field=models.DateField(help_text="when its owner looks at it next, in its book's dates", null=True),
        ),
        migrations.RunSQL(_OPEN_ONES, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="reviewcase",
            index=models.Index(
                condition=models.Q(("state", "resolved"), _negated=True),
                fields=["due_at", "id"],
                name="review_queue",
            ),
        ),
        migrations.AddIndex(
            model_name="reviewcase",
            index=models.Index(fields=["environment", "id"], name="review_of_environment"),
        ),
    ]
