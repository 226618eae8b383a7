"""What the application's database role may do, written out: a new table or function is added here by decision."""

from typing import Any, Final

import psycopg
import pytest

pytestmark = pytest.mark.usefixtures("database")

READ: Final = "SELECT"
APPEND: Final = "INSERT SELECT"
CHANGE: Final = "INSERT SELECT UPDATE"
EVERY: Final = "DELETE INSERT SELECT UPDATE"

TABLES: Final = {
    # reference rows, written by the owner alone
    "django_content_type": READ,
    "django_migrations": READ,
    "auth_permission": READ,
    "ledger_asset": READ,
    "ledger_book": READ,
    "ledger_template_stamp": READ,
    "legal_move": READ,
    # the journal and what is derived from it, written by functions alone
    "ledger_account": READ,
    "ledger_archivedevent": READ,
    "ledger_event_ever": READ,
    "ledger_balance": READ,
    "ledger_block": READ,
    "ledger_block_member": READ,
    "ledger_closure": READ,
    "ledger_delta": READ,
    "ledger_hold": READ,
    "ledger_key": READ,
    "ledger_period": READ,
    "ledger_period_change": READ,
    "ledger_posting": READ,
    "ledger_transaction": READ,
    "ledger_unsealed": READ,
    # what is only added to
    "django_admin_log": APPEND,
    "ledger_event": APPEND,
    "ledger_move": APPEND,
    "orders_payin": APPEND,
    "orders_reviewnote": APPEND,
    "reconciliation_closesignature": APPEND,
    "reconciliation_closedownload": APPEND,
    "reconciliation_exceptionnote": APPEND,
    "orders_walletentry": APPEND,
    "wallets_apirequest": APPEND,
    "wallets_fxrate": APPEND,
    "wallets_inquiry": APPEND,
    "wallets_remoteattempt": APPEND,
    "wallets_walletasset": APPEND,
    "wallets_walletreopening": APPEND,
    "webhooks_deliveryattempt": APPEND,
    "webhooks_feedentry": APPEND,
    "webhooks_providertransaction": APPEND,
    # what is never deleted
    "ledger_approval": CHANGE,
    "ledger_chartversion": CHANGE,
    "ledger_claim": CHANGE,
    "ledger_glmapping": CHANGE,
    "ledger_postingtemplate": CHANGE,
    "orders_approvalthreshold": CHANGE,
    "orders_freeze": CHANGE,
    "orders_intent": CHANGE,
    "orders_market": CHANGE,
    "orders_order": CHANGE,
    "orders_payout": CHANGE,
    "orders_pool": CHANGE,
    "orders_poolhalt": CHANGE,
    "orders_quote": CHANGE,
    "orders_return": CHANGE,
    "orders_reviewcase": CHANGE,
    "orders_stalefinding": CHANGE,
    "orders_trade": CHANGE,
    "orders_venue": CHANGE,
    "reconciliation_closerun": CHANGE,
    "reconciliation_exceptioncase": CHANGE,
    "reconciliation_notice": CHANGE,
    "reconciliation_statementfile": CHANGE,
    "reconciliation_statementline": CHANGE,
    "reconciliation_statementmatch": CHANGE,
    "reconciliation_statementsource": CHANGE,
    "wallets_breaker": CHANGE,
    "wallets_feerule": CHANGE,
    "wallets_limitrule": CHANGE,
    "wallets_limitusage": CHANGE,
    "wallets_rulefailure": CHANGE,
    "wallets_gateway": CHANGE,
    "wallets_gatewaypause": CHANGE,
    "wallets_wallet": CHANGE,
    "wallets_walletfreeze": CHANGE,
    "wallets_operator": CHANGE,
    "wallets_operatorkey": CHANGE,
    "wallets_remoteoperation": CHANGE,
    "webhooks_delivery": CHANGE,
    "webhooks_endpoint": CHANGE,
    "webhooks_inboundevent": CHANGE,
    "webhooks_inboxcount": CHANGE,
    "webhooks_provider": CHANGE,
    "webhooks_providersecret": CHANGE,
    "webhooks_notice": CHANGE,
    # queues, sessions and what people keep
    "auth_group": EVERY,
    "auth_group_permissions": EVERY,
    "auth_user": EVERY,
    "auth_user_groups": EVERY,
    "auth_user_user_permissions": EVERY,
    "django_celery_beat_clockedschedule": EVERY,
    "django_celery_beat_crontabschedule": EVERY,
    "django_celery_beat_intervalschedule": EVERY,
    "django_celery_beat_periodictask": EVERY,
    "django_celery_beat_periodictasks": EVERY,
    "django_celery_beat_solarschedule": EVERY,
    "django_session": EVERY,
    "ledger_queuedevent": EVERY,
    "orders_sagarun": EVERY,
    "otp_totp_totpdevice": EVERY,
    "reconciliation_closeartifact": EVERY,
    "reconciliation_closefinding": EVERY,
    "reconciliation_daymovement": EVERY,
    "wallets_inquirylease": EVERY,
    "webhooks_retiredsecret": EVERY,
}

# They run as the owner, so that the application writes money only through them.
DEFINER_FUNCTIONS: Final = {
    "webhooks_archive_events",
    "ledger_expire",
    "ledger_fold",
    "ledger_lock_balances",
    "ledger_lock_period",
    "ledger_open_accounts",
    "ledger_post",
    "ledger_post_one",
    "ledger_seal",
    "ledger_share_period",
    "ledger_stamp_templates",
    "ledger_unlock_period",
}


def test_each_table_has_its_verbs_and_no_other(superuser_connection: psycopg.Connection[Any]) -> None:
    rows = superuser_connection.execute(
        "SELECT c.relname, coalesce(string_agg(v.verb, ' ' ORDER BY v.verb) FILTER (WHERE"
        " has_table_privilege('holdfast_app', c.oid, v.verb)), '')"
        " FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES',"
        " 'TRIGGER', 'MAINTAIN']) AS v (verb)"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f') GROUP BY 1"
    ).fetchall()
    assert dict(rows) == TABLES


def test_no_right_hangs_on_a_column_or_on_everybody(superuser_connection: psycopg.Connection[Any]) -> None:
    assert (
        superuser_connection.execute(
            "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants"
            " WHERE table_schema = 'public' AND grantee = 'PUBLIC'"
            " UNION ALL SELECT 'column', attrelid::regclass::text, attname FROM pg_attribute a"
            " JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND attacl IS NOT NULL"
        ).fetchall()
        == []
    )


def test_application_owns_nothing(superuser_connection: psycopg.Connection[Any]) -> None:
    assert (
        superuser_connection.execute(
            "SELECT relname::text FROM pg_class WHERE relowner = 'holdfast_app'::regrole UNION ALL"
            " SELECT proname FROM pg_proc WHERE proowner = 'holdfast_app'::regrole UNION ALL"
            " SELECT nspname FROM pg_namespace WHERE nspowner = 'holdfast_app'::regrole"
            "  OR (nspname NOT LIKE 'pg_temp%' AND has_schema_privilege('holdfast_app', oid, 'CREATE')) UNION ALL"
            " SELECT 'member of ' || roleid::regrole FROM pg_auth_members WHERE member = 'holdfast_app'::regrole"
        ).fetchall()
        == []
    )


def test_sequences_may_be_used_but_not_set(superuser_connection: psycopg.Connection[Any]) -> None:
    rows = superuser_connection.execute(
        "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
        " AND has_sequence_privilege('holdfast_app', quote_ident(sequencename), 'UPDATE')"
    ).fetchall()
    assert rows == []


def test_functions_that_run_as_the_owner_fix_their_search_path(superuser_connection: psycopg.Connection[Any]) -> None:
    rows = superuser_connection.execute(
        "SELECT p.proname, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE'),"
        " has_function_privilege('holdfast_app', p.oid, 'EXECUTE')"
        " FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert {row[0] for row in rows} == DEFINER_FUNCTIONS
    for name, settings, everybody, application in rows:
        assert "search_path=public, pg_temp" in settings, name
        assert not everybody, name
        assert application, name


def test_helpers_of_the_write_door_have_no_rights_of_their_own(application_connection: psycopg.Connection[Any]) -> None:
    application_connection.execute(
        "SELECT ledger_open_accounts((SELECT min(id) FROM ledger_book)::smallint, ARRAY['a', 'b'],"
        " ARRAY['EUR', 'EUR'], ARRAY['asset', 'asset'], ARRAY['1', '1'], ARRAY['debit', 'debit'], ARRAY['', ''],"
        " ARRAY['none', 'none'])"
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute(
            "SELECT * FROM ledger_post_list((SELECT min(id) FROM ledger_book)::smallint,"
            """ '[{"key": "k", "event_type": "X"}]', '{1}', '{a}', '{b}', '{EUR}', '{1}', now())"""
        )
