"""Fee and limit rules in versions that two people change, and the counters that limits take from."""

from typing import Any

from django.db import models
from django.db.models import Q

from ledger.controls.versions import Version
from ledger.environments import Environment


class Rule(Version):
    """Abstract parent. A rule is its `code`; a version says everything about it, and is fixed once it has left draft.

    Of the active rules of one `name` one applies: the one with the lowest `priority` first, then an operator's own
    before everybody's, then a channel's own before any channel's. No operator means every operator.
    """

    code = models.CharField(max_length=60, help_text="the rule, in all its versions")
    name = models.CharField(max_length=40, help_text="what it is: an item on quotes and intents, a limit in refusals")
    flow = models.CharField(max_length=20)
    channel = models.CharField(
        max_length=60, default="", blank=True, help_text="empty: every channel; of pay-ins a provider's code"
    )
    asset = models.CharField(max_length=20)
    priority = models.PositiveSmallIntegerField(default=100, help_text="the lowest is tried first")
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_until = models.DateTimeField(null=True, blank=True)
    edited_by = models.CharField(max_length=150, default="", blank=True, help_text="who changed the draft last")

    class Meta:
        abstract = True

    def siblings(self) -> Any:
        return super().siblings().filter(code=self.code)


class FeeRule(Rule):
    """One fee item: fixed and basis points, or tiers; within a minimum and a maximum; VAT of the rounded fee."""

    MACHINE = "fee_rule"

    class Phase(models.TextChoices):
        PRE = "PRE"
        """On top of the amount: the payer pays it."""
        POST = "POST"
        """Out of the amount: who receives it pays it."""

    phase = models.CharField(max_length=4, choices=Phase.choices, default=Phase.POST)
    fixed_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    basis_points = models.PositiveIntegerField(default=0)
    tiers = models.JSONField(
        default=list,
        blank=True,
        help_text="instead of both: the first whose up_to_minor the amount does not exceed prices the whole amount",
    )
    minimum_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    maximum_minor = models.DecimalField(max_digits=39, decimal_places=0, null=True, blank=True)
    vat_basis_points = models.PositiveIntegerField(default=0, help_text="of the rounded fee")
    condition = models.TextField(default="", blank=True, help_text="in CEL; empty: always")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "code", "number"], name="fee_rule_number_once"),
            models.UniqueConstraint(
                fields=["environment", "code"], condition=Q(state="active"), name="fee_rule_one_active"
            ),
        ]
        indexes = [
            models.Index(fields=["environment", "flow", "asset"], condition=Q(state="active"), name="fee_rule_standing")
        ]

    def __str__(self) -> str:
        return f"{self.code} v{self.number}"


class LimitRule(Rule):
    """The most that one payment, or a day's payments, may be: of each wallet, or of the operator in all."""

    MACHINE = "limit_rule"

    class Scope(models.TextChoices):
        WALLET = "wallet"
        OPERATOR = "operator"

    class Period(models.TextChoices):
        TRANSACTION = "transaction"
        DAY = "day"
        """In the operator's zone."""

    scope = models.CharField(max_length=8, choices=Scope.choices)
    period = models.CharField(max_length=12, choices=Period.choices)
    cap_minor = models.DecimalField(max_digits=39, decimal_places=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "code", "number"], name="limit_rule_number_once"),
            models.UniqueConstraint(
                fields=["environment", "code"], condition=Q(state="active"), name="limit_rule_one_active"
            ),
        ]
        indexes = [
            models.Index(
                fields=["environment", "asset", "flow"], condition=Q(state="active"), name="limit_rule_standing"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} v{self.number}"


class LimitUsage(models.Model):
    """How much of a limit was used on one day of the operator's zone. It outlives the version that capped it.

    Taken by a conditional update, given back to the row of the day that it was taken from.
    """

    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField()
    name = models.CharField(max_length=40, help_text="the limit's")
    flow = models.CharField(max_length=20, help_text="as its rule says: any where that is for any")
    channel = models.CharField(max_length=20, default="")
    asset = models.CharField(max_length=20)
    wallet = models.CharField(max_length=40, default="", help_text="empty: the operator's in all")
    day = models.DateField()
    used_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "operator_id", "wallet", "day", "asset", "name", "flow", "channel"],
                name="limit_usage_once",
            ),
            models.CheckConstraint(condition=Q(used_minor__gte=0), name="limit_usage_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.wallet or 'operator'} {self.day}"


class RuleFailure(models.Model):
    """How often a version's condition could not be answered: each time a payment was refused. Its rule needs mending."""

    environment = models.CharField(max_length=4, choices=Environment.choices)
    rule = models.CharField(max_length=40, unique=True, help_text="the version's reference")
    code = models.CharField(max_length=60)
    number = models.PositiveIntegerField()
    reason = models.CharField(max_length=100, help_text="of the last one")
    failures = models.PositiveIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.code} v{self.number}: {self.failures}"
