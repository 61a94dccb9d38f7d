"""An OpenAI-compatible server on loopback, with a language model whose likelihoods are known in closed form.

Its tokens are characters, behind one that begins each prompt. It has read nothing but what stands before: a character's
probability is that of drawing it from those, with one more of each of 256.
"""

import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

START = "<s>"


def nats(text: str, before: str) -> float:
    """What a text costs behind another."""
    read = before + text
    counts = ((read[:at].count(read[at]), at) for at in range(len(before), len(read)))
    return -math.fsum(math.log((count + 1) / (at + 256)) for count, at in counts)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        with self.server.lock:
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
            misbehave = self.server.faults.pop(0) if self.server.faults else self.server.always
        try:
            (misbehave or completion)(self, body)
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def answer(self, status: int, content: bytes | str | Any, **headers: str) -> None:
        """What is no text is said in JSON."""
        raw = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
        raw = json.dumps(content).encode() if raw is None else raw
        self.send_response(status)
        known = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        for name, value in (known | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


Fault = Callable[[Handler, dict[str, Any]], None]


class Server(ThreadingHTTPServer):
    """What it was asked, and how it is to misbehave: each fault once, in order, then the one that is for ``always``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.lock, self.under_way, self.most_under_way = threading.Lock(), 0, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no fault of the server's."""


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(handler: Handler, body: dict[str, Any]) -> None:
    """As a server does that has all that is asked."""
    chat = handler.path.endswith("/chat/completions")
    prompt = "\n".join(turn["content"] for turn in body["messages"]) if chat else body["prompt"]
    chance, written = random.Random(body.get("seed", 0)), ""
    while len(written) < body["max_tokens"] and not any(stop in written for stop in body.get("stop", [])):
        written += chance.choice(f"{prompt}{written}abcdefgh ")
    for stop in body.get("stop", []):
        written = written.partition(stop)[0]
    usage = {"prompt_tokens": 1 + len(prompt), "completion_tokens": len(written)}
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if chat:
        choice["message"] = {"role": "assistant", "content": written}
    else:
        text = prompt * bool(body.get("echo")) + written
        choice |= {"text": text, "logprobs": logprobs(text) if body.get("logprobs") else None}
    handler.answer(200, {"choices": [choice], "usage": usage | {"total_tokens": sum(usage.values())}})


def logprobs(text: str) -> dict[str, Any]:
    return {
        "tokens": [START, *text],
        "token_logprobs": [None, *(-nats(text[at], text[:at]) for at in range(len(text)))],
    }


# Faults ---------------------------------------------------------------------------------------------------------------


def status(code: int, content: Any = "", **headers: str) -> Fault:
    return lambda handler, body: handler.answer(code, content, **headers)


def says(content: Any, **headers: str) -> Fault:
    return status(200, content, **headers)


def hangs(handler: Handler, body: dict[str, Any]) -> None:
    time.sleep(1.5)


def drips(handler: Handler, body: dict[str, Any]) -> None:
    """A byte at a time, so that no single wait is long."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        time.sleep(0.03)


def hangs_up(handler: Handler, body: dict[str, Any]) -> None:
    handler.close_connection = True


def ends_early(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def no_http(handler: Handler, body: dict[str, Any]) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.close_connection = True


def greedy_of_space(handler: Handler, body: dict[str, Any]) -> None:
    """An answer without end."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(64):
        handler.wfile.write(b"x" * (1 << 20))
