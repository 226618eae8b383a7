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
            values = {
                "reference": references.new(references.Prefix.FEE_RULE),
                "code": code[:60],
                "made_by": "before versions had a machine",
                "created_at": row.valid_from,
                "updated_at": row.valid_from,
            }
            if row.valid_from > now:
                values["note"] = f"was to price from {row.valid_from.isoformat()}"
            else:
                values |= {"activated_by": values["made_by"], "activated_at": row.valid_from, "state": "active"}
                if row is not standing:
                    values |= {"state": "retired", "retired_at": now}
            rules.objects.filter(pk=row.pk).update(**values)  # the field is protected against being set


class Migration(migrations.Migration):
    dependencies = [("wallets", "0040_rule_versions")]

    operations = [migrations.RunPython(carry_over, migrations.RunPython.noop)]
