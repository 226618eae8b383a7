"""Amazon SNS on loopback, as far as Publish goes: the query protocol, answered as told, with what came remembered."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

_DONE = (
    '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>{id}</MessageId>'
    "</PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"
)
_REFUSED = (
    '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>{code}</Code>'
    "<Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
)


@dataclass
class SnsApi:
    port: int
    published: list[dict[str, str]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """(HTTP status, SNS's code) of the next answers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def attributes(self, number: int) -> dict[str, str]:
        """Return the message attributes of a publication."""
        given = self.published[number]
        found = {}
        for place in range(1, 11):
            stem = f"MessageAttributes.entry.{place}"
            if f"{stem}.Name" in given:
                found[given[f"{stem}.Name"]] = given[f"{stem}.Value.StringValue"]
        return found


@contextmanager
def running_sns() -> Iterator[SnsApi]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            fields = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
            assert fields["Action"] == "Publish"
            assert "/sns/aws4_request" in self.headers["authorization"], "unsigned"
            api.published.append(fields)
            status, code = api.refusals.pop(0) if api.refusals else (200, "")
            text = _REFUSED.format(code=escape(code)) if code else _DONE.format(id=len(api.published))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Content-Type", "text/xml")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api = SnsApi(int(server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
