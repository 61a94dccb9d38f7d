"""Requests to a server that others run: tried again where that may help, and ended with one clear line where not."""

import asyncio
import json
import math
import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from bench.errors import CellEnd
from bench.families._errors import one_line

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})  # faults that may pass
_LARGEST = 1 << 24  # bytes of an answer that are read
_SHOWN = 200  # characters of what a server said


class Refused(CellEnd):
    """The server will not do what it is asked, however often: ``code`` is the HTTP status."""

    def __init__(self, said: str, code: int = 0) -> None:
        super().__init__(said)
        self.code = code


@dataclass
class Endpoint:
    """An OpenAI-compatible server.

    Whatever does not come to a good end is a :class:`bench.errors.CellEnd` that names the address, what happened and
    a remedy. The key is in none of them, nor is it shown with the endpoint.

    Attributes:
        url: what paths are put behind.
        key: sent as a bearer token where there is one.
        timeout: seconds from a request to the end of its answer, waiting for a free connection not counted.
        retries: how many times a request is made again where the fault may pass.
        backoff: seconds before the first of these; twice as long before each that follows, half of it by chance.
        patience: seconds that are waited at most, whatever the server asks for.
        concurrency: requests under way at the same time.
        budget: tokens to spend; none where it is infinite.
        spent: tokens spent so far, by what the server says of each answer.
    """

    url: str
    key: str = field(repr=False)
    timeout: float
    retries: int
    backoff: float
    patience: float
    concurrency: int
    budget: float = math.inf
    spent: int = 0

    def ask(self, path: str, questions: list[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
        """Answers in the order of the questions; the first that fails ends all.

        Args:
            path: ``"completions"``, ``"chat/completions"``.
            questions: each a request's body, and how many tokens it takes at most as far as is known beforehand.
        """
        try:
            return asyncio.run(self._all(path, questions))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _all(self, path: str, questions: list[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        free = asyncio.Semaphore(self.concurrency)
        async with httpx.AsyncClient(headers=headers, timeout=self.timeout) as client, asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(client, free, path, *question)) for question in questions]
        return [task.result() for task in tasks]

    async def _one(
        self, client: httpx.AsyncClient, free: asyncio.Semaphore, path: str, body: dict[str, Any], tokens: int
    ) -> dict[str, Any]:
        async with free:
            if self.spent + tokens > self.budget:
                left = f"{self.spent} of {self.budget:g} tokens are spent, and the next request may take {tokens}"
                raise CellEnd(f"{self.url}: {left}; raise token_budget, or ask for fewer samples and shorter texts")
            self.spent += tokens
            answer = await self._persistently(client, path, body)
            usage = answer.get("usage")
            total = usage.get("total_tokens") if isinstance(usage, dict) else None
            self.spent += total - tokens if type(total) is int and total >= 0 else 0
            return answer

    async def _persistently(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
        said = remedy = ""
        for attempt in range(self.retries + 1):
            asked = 0.0
            try:
                async with asyncio.timeout(self.timeout):
                    status, headers, content = await self._exchange(client, path, body)
            except (TimeoutError, httpx.TimeoutException):
                said, remedy = f"no answer within {self.timeout:g} s", "see that the server is up, or raise timeout,"
            except httpx.RequestError as error:
                said = f"no answer ({self._readable(str(error)) or type(error).__name__})"
                remedy = "see that the server is up,"
            else:
                if status == 200:
                    return self._parsed(content, headers)
                said = f"it answered {status} ({self._fault(content) or 'and said nothing'})"
                remedy = "wait until the server is well,"
                if status not in _PASSING:
                    raise Refused(f"{self.url}: {said}; {_remedy(status)}", status)
                asked = _retry_after(headers.get("retry-after", ""))
                if asked > self.patience:
                    wait = f"and asks to wait {asked:g} s"
                    raise CellEnd(f"{self.url}: {said} {wait}; run again later with --retry, or raise patience")
            if attempt < self.retries:
                pause = self.backoff * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret in it
                await asyncio.sleep(min(max(pause, asked), self.patience))
        times = f", {self.retries + 1} times in a row" if self.retries else ""
        raise CellEnd(f"{self.url}: {said}{times}; {remedy} and run again with --retry")

    async def _exchange(
        self, client: httpx.AsyncClient, path: str, body: dict[str, Any]
    ) -> tuple[int, httpx.Headers, bytes]:
        content = bytearray()
        async with client.stream("POST", f"{self.url}/{path}", content=json.dumps(body)) as response:
            async for part in response.aiter_bytes():
                content += part
                if len(content) > _LARGEST:
                    raise CellEnd(f"{self.url}: an answer of more than {_LARGEST} bytes; is it a language model's?")
        return response.status_code, response.headers, bytes(content)

    def _parsed(self, content: bytes, headers: httpx.Headers) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict):
            return answer
        kind = self._readable(headers.get("content-type", "")) or "no content type"
        raise self.unexpected(f"no JSON object but {kind}, {self._readable(content.decode(errors='replace'))!r}")

    def unexpected(self, what: str) -> CellEnd:
        """The end of a cell whose server speaks another language."""
        return CellEnd(
            f"{self.url}: unexpected answer, {self._readable(what)}; is it the address of an OpenAI-compatible API?"
        )

    def _fault(self, content: bytes) -> str:
        """What the server said of the fault, wherever it put it."""
        text = content.decode(errors="replace")
        try:
            found = json.loads(text)
            for name in ("error", "message", "detail"):
                found = found.get(name, found) if isinstance(found, dict) else found
            text = found if isinstance(found, str) else json.dumps(found)
        except (ValueError, RecursionError):
            pass
        return self._readable(text)

    def _readable(self, text: str) -> str:
        """One short line without the key, and without what would do something to a terminal."""
        hidden = text.replace(self.key, "***") if self.key else text
        plain = " ".join("".join(c if c.isprintable() else " " for c in hidden).split())
        return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…"


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "see that the variable that key_variable names holds a key that is valid there"
    if status == 404:
        return "see that the endpoint's path and the model's name are right"
    return "see what the server takes"


def _retry_after(value: str) -> float:
    """Seconds that a server asks to wait, given as a number or as a date; 0 where it asks for nothing."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):  # no date, or one without a zone
            return 0.0
    return max(0.0, seconds) if not math.isnan(seconds) else 0.0


def address(url: str) -> str:
    """An endpoint's address without the slash at its end; :class:`ValueError` says what is wrong with it."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"option 'endpoint': {one_line(error)}; name an address") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ValueError(
            "option 'endpoint' should begin with http:// or https:// and name a host, as in http://localhost:8000/v1"
        )
    if parts.userinfo or parts.query or parts.fragment:
        raise ValueError(
            "option 'endpoint' should hold no credentials and no query; a key belongs into an environment variable"
        )
    return url.rstrip("/")


def key(variable: str) -> str:
    """The key in an environment variable; :class:`ValueError` names the variable, never what it holds."""
    if variable and not variable.isidentifier():
        raise ValueError("key_variable is no name of an environment variable; name one, and never write the key itself")
    found = os.environ.get(variable, "").strip()
    if variable and not found:
        raise ValueError(f"the environment variable {variable} is not set; export the key")
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise ValueError(f"what the environment variable {variable} holds is no key: it has other characters in it")
    return found
