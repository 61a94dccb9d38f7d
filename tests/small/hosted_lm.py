"""A language model behind an endpoint on loopback, which answers as long as this process lives."""

import threading
from typing import Any

from bench.dataset import Dataset, Items
from bench.families.hosted_lm import HostedLM
from tests.hosting import Server
from tests.models import source_texts, texts

_server = Server()
threading.Thread(target=_server.serve_forever, daemon=True).start()

OPTIONS: dict[str, Any] = {
    "endpoint": _server.url,
    "max_new_tokens": 8,
    "positions": 200,
    "retries": 1,
    "timeout": 10.0,
}


def model() -> HostedLM:
    return HostedLM("characters", **OPTIONS)


def data() -> Dataset:
    return texts()


def source() -> Dataset:
    return source_texts()


def pool() -> Items:
    return [*texts(12).train, *texts(36).train[24:]]
