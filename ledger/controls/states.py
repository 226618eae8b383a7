"""What every row of a machine has: a reference, an environment, a guarded state, a version, two instants."""

from django.db import models

from ledger.controls.events import Announcement
from ledger.environments import Environment


class Stateful(models.Model):
    """Abstract parent of the models of machines. A subclass adds `state`, an FSMField, and sets `MACHINE`.

    Rows are changed only through `ledger.controls.moves.move`. The state's legality is also a trigger.
    """

    MACHINE = ""

    reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.reference

    def announcement(self) -> Announcement | None:
        """Return what the present state says to the outside, or None where moves cause no event."""
        raise TypeError(f"{type(self).__name__} does not say what its moves announce")
