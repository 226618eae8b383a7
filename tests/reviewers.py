"""People who may be given review cases."""

from django.contrib.auth.models import Group, User

from ledger.controls.roles import Role


def reviewer(name: str, *, role: Role = Role.OPS, active: bool = True) -> User:
    """Return the person of that name, made and given the role when there is none. Nobody can log in as them."""
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True, "is_active": active})
    user.groups.add(Group.objects.get(name=role.value))
    return user
