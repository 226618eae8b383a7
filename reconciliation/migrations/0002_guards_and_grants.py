"""Guard the moves of closes and exception cases; give the application its rights, also on the console's own tables."""

from django.db import migrations

from ledger.controls.grants import CHANGE, EVERY, READ, grants
from ledger.controls.sql_files import guard_moves


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0001_initial"),
        ("ledger", "0003_grants"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
        ("otp_totp", "0003_add_timestamps"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        guard_moves("reconciliation_closerun", "close"),
        guard_moves("reconciliation_exceptioncase", "exception_case"),
        grants(
            {
                "reconciliation_closerun": CHANGE,
                "reconciliation_closeartifact": EVERY,
                "reconciliation_exceptioncase": CHANGE,
                "auth_user": EVERY,
                "auth_group": EVERY,
                "auth_permission": READ,
                "auth_user_groups": EVERY,
                "auth_user_user_permissions": EVERY,
                "auth_group_permissions": EVERY,
                "django_content_type": READ,
                "django_session": EVERY,
                "django_admin_log": "SELECT, INSERT",
                "otp_totp_totpdevice": EVERY,
                "django_celery_beat_periodictask": EVERY,
                "django_celery_beat_periodictasks": EVERY,
                "django_celery_beat_intervalschedule": EVERY,
                "django_celery_beat_crontabschedule": EVERY,
                "django_celery_beat_clockedschedule": EVERY,
                "django_celery_beat_solarschedule": EVERY,
            }
        ),
    ]
