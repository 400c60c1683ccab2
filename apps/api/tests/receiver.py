"""An endpoint of somebody else's, on loopback: it answers as it is told and keeps what it got."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: str

    def verified(self, secret: str) -> object:
        """What the official library makes of it; raises when the signature does not hold."""
        return Webhook(secret).verify(self.body.encode(), self.headers)


@dataclass(frozen=True)
class Reply:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Receiver:
    url: str
    got: list[Got] = field(default_factory=list)
    #: What the next requests are answered, then 204.
    replies: list[Reply] = field(default_factory=list)
    #: Held closed, requests wait for their answer.
    gate: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving(wrap: Callable[[ThreadingHTTPServer], None] = lambda _: None) -> Iterator[Receiver]:
    """A server on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {k.lower(): v for k, v in self.headers.items()}
            receiver.got.append(Got(self.path, headers, body))
            receiver.gate.wait(30)
            reply = receiver.replies.pop(0) if receiver.replies else Reply()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away, or speaks no TLS, is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    wrap(server)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    receiver.gate.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
