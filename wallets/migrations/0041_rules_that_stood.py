"""Fee rules of before: what prices today is active, what it replaced is retired, what was to come is a draft."""

from typing import Any

from django.db import migrations

from ledger.controls import references


def carry_over(apps: Any, schema_editor: Any) -> None:
    rules = apps.get_model("wallets", "FeeRule")
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for row in rules.objects.order_by("number"):
        key = (row.environment, row.operator_id, row.flow, row.asset, row.name)
        groups.setdefault(key, []).append(row)
    for (_, operator_id, flow, asset, name), rows in groups.items():
        standing = next((row for row in reversed(rows) if row.valid_from <= now), None)
        code = f"{name}-{flow}-{asset}".lower() + (f"-{operator_id}" if operator_id else "")
        for row in rows:
            row.reference = references.new(references.Prefix.FEE_RULE)
            row.code = code[:60]
            row.made_by = row.activated_by = "before versions had a machine"
            row.created_at = row.updated_at = row.activated_at = row.valid_from
            row.state = "active" if row is standing else "retired"
            if row.valid_from > now:
                row.state, row.activated_by, row.activated_at = "draft", "", None
                row.note = f"was to price from {row.valid_from.isoformat()}"
            elif row is not standing:
                row.retired_at = now
            row.save()


class Migration(migrations.Migration):
    dependencies = [("wallets", "0040_rule_versions")]

    operations = [migrations.RunPython(carry_over, migrations.RunPython.noop)]
