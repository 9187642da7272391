"""A proxy that stands before an S3 service and does to requests what networks and services do on bad days.

Every fault is drawn from a seed in the order in which requests arrive, or set for the next requests by `script`. The
Host header is passed on as it came, because signatures cover it. Does not know S3 beyond the shape of its errors.
"""

import contextlib
import http.client
import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {
    "connection",
    "expect",
    "keep-alive",
    "transfer-encoding",
    "proxy-connection",
    "content-length",
}


class Fault(StrEnum):
    """What may happen to a request."""

    NONE = "none"
    INTERNAL_ERROR = "500"
    SLOW_DOWN = "503 SlowDown"
    CONFLICT = "409 ConditionalRequestConflict"
    FORBIDDEN = "403 AccessDenied"
    EXPIRED = "400 ExpiredToken"
    FULL = "507"
    GARBAGE = "200 with an answer that is no XML"
    RESET = "connection reset before the request was passed on"
    NO_ANSWER = "no answer until the client gives up"
    TRUNCATED = "applied; the answer's body breaks off in the middle"
    DAMAGED = "applied; one byte of the answer's body is another"
    SLOW = "applied; the answer comes late"
    APPLIED_THEN_RESET = "applied; connection reset instead of the answer"
    APPLIED_THEN_500 = "applied; reported as an internal error"


TRANSIENT = tuple(
    fault for fault in Fault if fault not in {"none", "403 AccessDenied", "400 ExpiredToken", "507"}
)
"""Faults that a client should overcome."""

_MEETING_S = 10.0
"""How long a put waits for another at the most: less than clients wait for an answer before they try again."""

_REFUSALS = {
    Fault.INTERNAL_ERROR: (500, "InternalError"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.CONFLICT: (409, "ConditionalRequestConflict"),
    Fault.FORBIDDEN: (403, "AccessDenied"),
    Fault.EXPIRED: (400, "ExpiredToken"),
    Fault.FULL: (507, "InsufficientStorage"),
}


class FaultProxy:
    """Use as a context manager; clients talk to `endpoint`.

    Args:
        upstream: the service, `http://host:port`.
        rates: probability of each fault, for every request; together at most 1.
        seed: decides which request meets which fault.
        only: requests for which it returns False (given method and path) pass untouched.
        strip_preconditions: pass `If-None-Match` on to nobody, as services do that ignore it.
        slow_s: how late a slow answer comes.
        meeting: a put of a path with this in it waits, for some seconds at most, until the path has been put twice: so
            that two clients meet there, however late one of them begins. Nobody waits where it is empty.
    """

    def __init__(
        self,
        upstream: str,
        *,
        rates: Mapping[Fault, float] | None = None,
        seed: int = 0,
        only: Callable[[str, str], bool] = lambda method, path: True,
        strip_preconditions: bool = False,
        slow_s: float = 0.2,
        meeting: str = "",
    ):
        self.upstream = urlsplit(upstream)
        self.rates = dict(rates or {})
        self.only = only
        self.strip_preconditions = strip_preconditions
        self.slow_s = slow_s
        self.meeting = meeting
        self._arrived: Counter[str] = Counter()
        self._arrival = threading.Condition()
        self.faults: Counter[Fault] = Counter()
        self.requests: Counter[str] = Counter()
        self.created: Counter[str] = (
            Counter()
        )  # puts that the service has carried out, whatever the client was told
        self.refused: Counter[str] = Counter()  # and those that came second, by path
        self.sent_bytes = 0  # of bodies, to clients
        self.last_path = ""
        self.stopping = threading.Event()
        self._random = random.Random(seed)
        self._script: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, faults: Iterable[Fault]) -> None:
        """Let the next requests meet these faults, one each; afterwards the rates hold again."""
        with self._lock:
            self._script = list(faults)

    def draw(self, method: str, path: str) -> Fault:
        with self._lock:
            self.requests[method] += 1
            self.last_path = path
            if not self.only(method, path):
                return Fault.NONE
            fault = self._script.pop(0) if self._script else self._drawn()
            self.faults[fault] += 1
            return fault

    def meet(self, method: str, path: str) -> None:
        """Wait for another put of this path, where puts are to meet."""
        if method != "PUT" or not self.meeting or self.meeting not in path:
            return
        with self._arrival:
            self._arrived[path] += 1
            self._arrival.notify_all()
            self._arrival.wait_for(lambda: self._arrived[path] > 1, timeout=_MEETING_S)

    def note(self, method: str, path: str, status: int) -> None:
        """Remember what the service answered to a put."""
        if method == "PUT":
            with self._lock:
                self.created[path] += status == 200
                self.refused[path] += status == 412

    def _drawn(self) -> Fault:
        point = self._random.random()
        for fault, rate in self.rates.items():
            point -= rate
            if point < 0:
                return fault
        return Fault.NONE

    @property
    def injected(self) -> int:
        """Faults so far."""
        return sum(count for fault, count in self.faults.items() if fault is not Fault.NONE)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: FaultProxy

    def shutdown_request(self, request):
        # Not shut down first: a socket that lingers for no time is then closed by a reset.
        self.close_request(request)

    def handle_error(self, request, client_address):
        """Clients that break off are what this proxy is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *args):
        pass

    def _serve(self):
        body = self._read_body()
        proxy = self.server.proxy
        fault = proxy.draw(self.command, self.path)
        if fault in _REFUSALS:
            self._refuse(*_REFUSALS[fault])
        elif fault is Fault.RESET:
            self._reset()
        elif fault is Fault.NO_ANSWER:
            self._keep_silent()
        elif fault is Fault.GARBAGE:
            self._answer(200, [("Content-Type", "text/html")], b"<html><p>Please log in")
        else:
            proxy.meet(self.command, self.path)
            self._pass_on(body, fault)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815 - as http.server looks for them

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while length := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _pass_on(self, body: bytes, fault: Fault) -> None:
        try:
            status, headers, content, length = self._ask_upstream(body)
        except (OSError, http.client.HTTPException):
            self._reset()
            return
        if fault is Fault.APPLIED_THEN_RESET:
            self._reset()
        elif fault is Fault.APPLIED_THEN_500:
            self._refuse(500, "InternalError")
        elif fault is Fault.TRUNCATED:
            self._answer(status, headers, content[: len(content) // 2], length=max(length, 1))
            self._reset(linger=True)
        else:
            if fault is Fault.SLOW:
                time.sleep(self.server.proxy.slow_s)
            # A listing bears no digest: nothing but TLS can protect it.
            if fault is Fault.DAMAGED and content and "list-type=" not in self.path:
                middle = len(content) // 2
                content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            self._answer(status, headers, content, length=length)

    def _ask_upstream(self, body: bytes):
        proxy = self.server.proxy
        upstream = http.client.HTTPConnection(
            proxy.upstream.hostname, proxy.upstream.port, timeout=60
        )
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                stripped = proxy.strip_preconditions and name.lower() == "if-none-match"
                if name.lower() not in _HOP_BY_HOP and not stripped:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
            proxy.note(self.command, self.path, answer.status)
            length = int(answer.headers.get("Content-Length", len(content)))
            headers = [(n, v) for n, v in answer.headers.items() if n.lower() not in _HOP_BY_HOP]
            return answer.status, headers, content, length
        finally:
            upstream.close()

    def _answer(self, status: int, headers, content: bytes, *, length: int | None = None) -> None:
        with contextlib.suppress(OSError):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if status not in {204, 304}:
                self.send_header("Content-Length", str(len(content) if length is None else length))
            self.end_headers()
            if self.command != "HEAD":
                self.server.proxy.sent_bytes += len(content)
                self.wfile.write(content)

    def _refuse(self, status: int, code: str) -> None:
        content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        self._answer(status, [("Content-Type", "application/xml")], content)

    def _reset(self, *, linger: bool = False) -> None:
        self.close_connection = True
        if not linger:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _keep_silent(self) -> None:
        self.close_connection = True
        while not self.server.proxy.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            with contextlib.suppress(OSError):
                if readable and not self.connection.recv(1, socket.MSG_PEEK):
                    return
