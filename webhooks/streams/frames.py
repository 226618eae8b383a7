"""Server-sent events as bytes (the HTML standard, section 9.2). Pure."""

from typing import Final

CONTENT_TYPE: Final = "text/event-stream; charset=utf-8"
HEARTBEAT: Final = b": still here\n\n"


def event(*, id: str, topic: str, message: bytes) -> bytes:
    """Return one event. The message is JSON without line breaks; an id of "" leaves the reader's last one."""
    assert b"\n" not in message
    assert b"\r" not in message
    marked = f"id: {id}\n".encode() if id else b""
    return marked + f"event: {topic}\ndata: ".encode() + message + b"\n\n"


def retry(milliseconds: int) -> bytes:
    """Return the line that says how long a reader waits before it comes again."""
    return f"retry: {milliseconds}\n\n".encode()
