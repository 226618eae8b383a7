"""What limits' counters hold, for those who show it: read without a lock."""

from collections.abc import Collection, Mapping

from wallets.models import LimitUsage


def used_in(counters: Collection[int]) -> Mapping[int, int]:
    """Return what each counter holds, in minor units of its asset."""
    return {row.pk: int(row.used_minor) for row in LimitUsage.objects.filter(pk__in=counters)}
