"""Mark on a saga's work row that the other side has news, so that it is looked up at once and not lost with the row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0018_pay_ins")]

    operations = [
        migrations.AddField(
            model_name="sagarun",
            name="news",
            field=models.PositiveIntegerField(
                default=0,
                help_text="how often the other side has said that something is new since it was last looked up",
            ),
        ),
    ]
