"""A statement line of a batch is matched with each of its transactions."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0060_rule_notices"),
    ]

    operations = [
        migrations.AddField(
            model_name="statementmatch",
            name="in_batch",
            field=models.BooleanField(default=False, help_text="one of several transactions that the line stands for"),
        ),
        migrations.RemoveConstraint(model_name="statementmatch", name="statement_line_matched_once"),
        migrations.AddConstraint(
            model_name="statementmatch",
            constraint=models.UniqueConstraint(
                fields=["line"], condition=Q(state="standing", in_batch=False), name="statement_line_matched_once"
            ),
        ),
    ]
