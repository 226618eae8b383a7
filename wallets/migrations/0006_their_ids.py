"""Find remote operations by their reference at the other side and by request id."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0005_late_effects"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="remoteattempt",
            index=models.Index(fields=["request_id"], name="remote_attempt_by_request"),
        ),
        migrations.AddIndex(
            model_name="remoteoperation",
            index=models.Index(
                condition=models.Q(("remote_ref", ""), _negated=True),
                fields=["remote_ref"],
                name="remote_operation_by_theirs",
            ),
        ),
    ]
