"""Choose loopback ports so that two clones started at the same moment never choose the same one."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


class PortReservation:
    """Ports chosen by this process.

    A reservation is a Unix socket in the abstract namespace, which no file outlives: it keeps another clone
    from choosing the port between our choice and our server's bind.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def choose(self, usual: int) -> int:
        """Return the usual port if it is free, else one that the kernel names; 0 has no usual one."""
        if usual and self._reserve(usual) and is_free(usual):
            return usual
        for _ in range(100):
            port = free_port()
            if self._reserve(port):
                return port
        raise OSError("no free port was found")

    def release(self) -> None:
        """Give the reservations up."""
        for held in self._held:
            held.close()
        self._held.clear()

    def _reserve(self, port: int) -> bool:
        token = socket.socket(socket.AF_UNIX)
        try:
            token.bind(f"\0holdfast-port-{port}")
        except OSError:
            token.close()
            return False
        self._held.append(token)
        return True


def is_free(port: int) -> bool:
    """Say whether nobody listens on the loopback port."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that the kernel names by binding 0."""
    with socket.socket() as attempt:
        attempt.bind((LOOPBACK, 0))
        port: int = attempt.getsockname()[1]
    return port
