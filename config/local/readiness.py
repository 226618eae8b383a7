"""When the processes of the local stack count as started."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

from config.local.supervisor import Supervisor, SupervisorFailed

_WEB_ANSWERS_WITHIN: Final = 60.0
_WEB_MAY_DIE_FOR: Final = 15.0
_OTHERS_START_WITHIN: Final = 20.0


def wait_for_web(supervisor: Supervisor, url: str) -> None:
    """Wait until the web answers that it is ready. Raises SupervisorFailed, with its last answer, when it does not."""
    began = time.monotonic()
    deadline = began + _WEB_ANSWERS_WITHIN
    problem = "it did not answer"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            problem = f"it answers {error.code} {error.read(500).decode(errors='replace')}"
        except OSError as error:
            problem = str(error)
        if supervisor.has_ended() or _web_keeps_dying(supervisor, began):
            break
        time.sleep(0.1)
    raise SupervisorFailed(f"the web is not ready: {problem}; see {supervisor.logs / 'web.log'}")


def wait_for_the_others(supervisor: Supervisor, *, say: Callable[[str], None]) -> None:
    """Wait until each process has stayed up for a second; say which has not, for the supervisor goes on."""
    deadline = time.monotonic() + _OTHERS_START_WITHIN
    while waiting := sorted(name for name, state in supervisor.states().items() if state != "RUNNING"):
        if time.monotonic() > deadline:
            say(f"  does not stay up: {', '.join(waiting)}; see {supervisor.logs}")
            return
        time.sleep(0.1)


def _web_keeps_dying(supervisor: Supervisor, began: float) -> bool:
    patience = time.monotonic() - began > _WEB_MAY_DIE_FOR
    return patience and supervisor.states().get("web") in ("BACKOFF", "FATAL", "EXITED")
