"""A rule's draft says who changed it last: that person does not approve it (rule H1)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0043_rule_failures")]

    operations = [
        migrations.AddField(
            model_name="feerule",
            name="edited_by",
            field=models.CharField(blank=True, default="", help_text="who changed the draft last", max_length=150),
        ),
        migrations.AddField(
            model_name="limitrule",
            name="edited_by",
            field=models.CharField(blank=True, default="", help_text="who changed the draft last", max_length=150),
        ),
    ]
