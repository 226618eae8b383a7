"""How a run says how far it is."""

from typing import Protocol


class Progress(Protocol):
    def plan(self, steps: int) -> None:
        """Say how many steps there will be."""
        ...

    def begin(self, step: str) -> None:
        """Say what is being done now; what was begun before is done."""
        ...


class Silent:
    def plan(self, steps: int) -> None:
        return

    def begin(self, step: str) -> None:
        return
