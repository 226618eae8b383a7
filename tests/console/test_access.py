import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from ledger.controls import clock
from ledger.controls.roles import Role
from ledger.models import Move
from orders.models import Order, ReviewCase
from reconciliation import close_runs
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.wallet import lost_before

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]

_SEES = {
    "admin:orders_order_changelist": {"support", "ops", "ops lead", "finance", "finance lead", "auditor"},
    "admin:orders_reviewcase_changelist": {"support", "ops", "ops lead", "finance", "finance lead", "auditor"},
    "admin:ledger_posting_changelist": {"finance", "finance lead", "auditor"},
    "admin:webhooks_delivery_changelist": {"ops", "ops lead", "auditor", "admin"},
    "admin:reconciliation_exceptioncase_changelist": {"finance", "finance lead", "auditor"},
    "admin:wallets_operatorkey_changelist": {"ops", "ops lead", "auditor", "admin"},
    "admin:ledger_move_changelist": {"ops", "ops lead", "finance", "finance lead", "auditor"},
}


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_a_role_sees_its_pages_and_no_others(role: str, signed_in: SignIn) -> None:
    client = signed_in("somebody", role)
    assert client.get(reverse("admin:index")).status_code == 200
    for page, roles in _SEES.items():
        assert client.get(reverse(page)).status_code == (200 if role in roles else 403), (role, page)


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_home_offers_no_link_that_the_role_may_not_follow(role: str, desk: Desk, signed_in: SignIn) -> None:
    _review(desk)
    close_runs.run(close=close_runs.ensure(environment="test", business_date=clock.now().date()))
    client = signed_in("somebody", role)
    shown = client.get(reverse("admin:index")).content.decode().partition('<div class="flex flex-col gap-6">')[2]
    links = {html.unescape(one) for one in re.findall(r'href="(/console/[^"]*)"', shown)}
    assert dict.fromkeys(links, 200) == {link: client.get(link, follow=True).status_code for link in links}


def test_log_in_fails_when_the_code_is_wrong_or_missing(person: Callable[[str, str], User]) -> None:
    person("olga", "ops")
    client = Client()
    for code in ("", "000000", "abc"):
        form = {"username": "olga", "password": "a long password", "otp_token": code}
        client.post(reverse("admin:login"), form)
        assert client.get(reverse("admin:index")).status_code == 302


def test_a_log_in_that_was_going_nowhere_ends_at_home(person: Callable[[str, str], User]) -> None:
    key = TOTPDevice.objects.get(user=person("olga", "ops")).bin_key
    form = {"username": "olga", "password": "a long password", "otp_token": f"{totp(key):06}"}
    answer = Client().post(reverse("admin:login"), form)
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


def test_a_password_alone_opens_nothing(person: Callable[[str, str], User]) -> None:
    client = Client()
    client.force_login(person("olga", "ops"))
    assert client.get(reverse("admin:index")).status_code == 302


def test_rows_cannot_be_added_changed_or_deleted(signed_in: SignIn, desk: Desk) -> None:
    desk.order()
    client = signed_in("anna", "auditor")
    for model, model_admin in admin.site._registry.items():
        if not hasattr(model_admin, "section"):
            continue
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        assert client.post(reverse(f"admin:{name}_add"), {}).status_code == 403, name
    order = Order.objects.get()
    before = Move.objects.count()
    for action in ("change", "delete"):
        assert client.post(reverse(f"admin:orders_order_{action}", args=[order.pk]), {"post": "yes"}).status_code == 403
    assert Order.objects.count() == 1
    assert Move.objects.count() == before


def test_every_list_opens_with_few_queries(
    signed_in: SignIn, desk: Desk, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for _ in range(5):
        desk.order()
    desk.drive(passes=2)
    client = signed_in("root", "auditor")
    User.objects.update(is_superuser=True)
    for model, model_admin in admin.site._registry.items():
        if not hasattr(model_admin, "section"):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        with django_assert_max_num_queries(15):  # type: ignore[attr-defined]
            assert client.get(reverse(name)).status_code == 200, name


def test_an_order_is_found_by_each_of_its_ids_and_by_nothing_less(signed_in: SignIn, desk: Desk) -> None:
    order = desk.order()
    client = signed_in("sam", "support")
    url = reverse("admin:orders_order_changelist")
    for term in (order.reference, order.partner_order_id, order.quote_reference, order.idempotency_key):
        assert order.reference in client.get(url, {"q": term}).content.decode(), term
    assert f">{order.reference}<" not in client.get(url, {"q": order.reference[:-1]}).content.decode()


def _review(desk: Desk) -> tuple[Order, ReviewCase]:
    desk.wallet.script = [lost_before]
    order = desk.order("300.00")
    desk.drive(passes=12)
    desk.wallet.script = [None]
    return reloaded(order), open_case(order)


def test_a_review_is_resolved_by_two_people_through_the_console(signed_in: SignIn, desk: Desk) -> None:
    order, case = _review(desk)
    ops, lead = signed_in("olga", "ops"), signed_in("lena", "ops lead")

    def act(client: Client, action: str, **form: str) -> str:
        url = reverse("admin:review-act", args=[case.reference, action])
        return client.post(url, form, follow=True).content.decode()

    def version() -> str:
        return str(ReviewCase.objects.get(pk=case.pk).version)

    assert act(ops, "look-up").count("The lookup says: absent") == 1, "told once"
    page = ops.get(reverse("admin:review-case", args=[case.reference])).content.decode()
    assert 'id="dialog-debit_absent"' in page
    assert 'id="dialog-debit_proven"' not in page
    act(ops, "propose", resolution="debit_absent", reason="not found past the horizon", version=version())
    assert ReviewCase.objects.get(pk=case.pk).state == "proposed"
    assert "Your role may not" in act(ops, "approve", reason="mine", version=version())
    assert reloaded(order).state == "manual_review"
    assert "Approved" in act(lead, "approve", reason="agreed", version=version())
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("failed", "debit_absent")
    move = Move.objects.get(subject=order.reference, to_state="failed")
    assert move.actor == "user:lena"
    assert (move.evidence or {})["proposed_by"] == "user:olga"


def test_nobody_approves_their_own_proposal(signed_in: SignIn, desk: Desk) -> None:
    order, case = _review(desk)
    lead = signed_in("lena", "ops lead")
    User.objects.update(is_superuser=True)
    url = reverse("admin:review-act", args=[case.reference, "look-up"])
    lead.post(url)
    for action in ("propose", "approve"):
        lead.post(
            reverse("admin:review-act", args=[case.reference, action]),
            {
                "resolution": "debit_absent",
                "reason": "because",
                "version": str(ReviewCase.objects.get(pk=case.pk).version),
            },
        )
    assert ReviewCase.objects.get(pk=case.pk).state == "proposed"
    assert reloaded(order).state == "manual_review"


def test_actions_refuse_get_and_need_a_csrf_token(signed_in: SignIn, desk: Desk) -> None:
    _, case = _review(desk)
    client = signed_in("olga", "ops")
    url = reverse("admin:review-act", args=[case.reference, "assign"])
    assert client.get(url).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(url).status_code == 403
    assert ReviewCase.objects.get(pk=case.pk).state == "open"


def test_a_key_is_shown_once_when_the_admin_makes_it(signed_in: SignIn, desk: Desk) -> None:
    from wallets.models import OperatorKey

    client = signed_in("ada", "admin")
    url = reverse("admin:operation", args=["create-key"])
    assert client.get(url).status_code == 200
    assert OperatorKey.objects.count() == 0
    page = client.post(url, {"slug": "acme", "environment": "test", "label": "server"}).content.decode()
    key = OperatorKey.objects.get()
    assert f"{key.hint}" in page
    assert key.key_hash not in page
    assert "hf_test_" in page
    again = client.get(reverse("admin:wallets_operatorkey_changelist")).content.decode()
    assert key.key_hash not in again
    ops = Client()
    assert ops.post(url, {"slug": "acme"}).status_code == 302


def test_operations_belong_to_roles_and_refusals_are_messages(signed_in: SignIn, desk: Desk) -> None:
    from orders.models import PoolHalt

    ops, lead = signed_in("olga", "ops"), signed_in("lena", "ops lead")
    url = reverse("admin:operation", args=["halt-pool"])
    assert ops.post(url, {"pool": "test EUR-USDT", "reason": "x"}).status_code == 403
    assert "A reason is needed" in lead.post(url, {"pool": "test EUR-USDT"}).content.decode()
    assert not PoolHalt.objects.exists()
    lead.post(url, {"pool": "test EUR-USDT", "reason": "maintenance"})
    assert PoolHalt.objects.get().halted_by == "user:lena"
    assert "halted already" in lead.post(url, {"pool": "test EUR-USDT", "reason": "again"}).content.decode()


def test_trace_finds_an_order_and_hands_over_its_packet(desk: Desk, signed_in: SignIn) -> None:
    order = desk.order()
    desk.drive(passes=2)
    support = signed_in("sue", "support")
    found = support.get("/console/trace/", {"id": order.partner_order_id})
    assert (found.status_code, found.headers["Location"]) == (302, f"/console/trace/{order.reference}/")
    page = support.get(found.headers["Location"])
    assert page.status_code == 200
    assert order.partner_order_id in page.content.decode()
    packet = support.get(f"/console/trace/{order.reference}/packet/")
    assert packet.headers["Content-Disposition"] == f'attachment; filename="support-packet-{order.reference}.zip"'
    assert packet.content.startswith(b"PK")
    assert support.get("/console/trace/", {"id": "100.00"}).status_code == 200
    assert signed_in("adam", "admin").get(f"/console/trace/{order.reference}/").status_code == 403


def test_no_page_tells_a_message_that_its_frame_tells() -> None:
    pages = list((Path(settings.BASE_DIR) / "templates" / "console").rglob("*.html"))
    framed = [page for page in pages if 'extends "admin/base.html"' in page.read_text(encoding="utf-8")]
    assert len(framed) > 20
    assert [page.name for page in framed if "helpers/messages.html" in page.read_text(encoding="utf-8")] == []
