"""A hosted model behind a server that is not ours: ``transformers serve``, in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from transformers.utils import import_utils

from bench.errors import CellEnd, NotApplicable
from bench.families.hosted_lm import HostedLM
from tests.models import language_model, prepare, saved, texts, transfer_of, whole
from tests.tiny import environment

_SERVES = getattr(import_utils, "is_serve_available", lambda: False)  # since transformers 5

pytestmark = pytest.mark.skipif(not _SERVES(), reason="needs transformers[serving]")

_PATIENCE = 180  # seconds until the server answers: it imports torch and transformers first


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The endpoint, and what the model is called there."""
    folder = tmp_path_factory.mktemp("served")
    model = language_model(sizes={"n_positions": 256})
    model.tokenizer.chat_template = "{% for turn in messages %}{{ turn.content }}\n{% endfor %}"
    model.network.generation_config.do_sample = True
    saved(model, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    code = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
    command = [sys.executable, "-c", code, *arguments]
    log = (folder / "log").open("w")
    known = environment() | {"HF_HUB_OFFLINE": "1"}
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=known) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield f"http://127.0.0.1:{port}/v1", str(folder)
        finally:
            process.kill()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])


def hosted(served: tuple[str, str], **options: Any) -> HostedLM:
    endpoint, name = served
    known: dict[str, Any] = {"endpoint": endpoint, "max_new_tokens": 8, "timeout": 60.0, "retries": 1}
    known |= {"positions": 256, "bytes_per_token": 1.0, "instruction": "Go on."}
    return HostedLM(name, **known | options)


@pytest.mark.parametrize("protocol", ["completions", "chat"])
@pytest.mark.parametrize("approach", ["zero_shot", "few_shot_prompting"])
def test_it_samples(served: tuple[str, str], protocol: str, approach: str) -> None:
    model = hosted(served, protocol=protocol)
    prepare(transfer_of(model, texts()), approach)
    drawn = model.sample(whole(model, texts().test[:4]), torch.Generator().manual_seed(0))
    assert len(set(model.decode(drawn))) > 1
    assert model.server.spent > 4 * 8 / 2, "the server says what it took"


@pytest.mark.parametrize("protocol", ["completions", "chat"])
def test_it_knows_that_no_likelihood_is_given(served: tuple[str, str], protocol: str) -> None:
    model = hosted(served, protocol=protocol)
    with pytest.raises(NotApplicable, match="log-probabilities of a given text"):
        model.nll(whole(model, texts().test[:2]))


def test_another_model_is_not_there(served: tuple[str, str]) -> None:
    model = hosted((served[0], "org/another"))
    with pytest.raises(CellEnd, match=r"answered 40\d .*org/another"):
        model.sample(whole(model, texts().test[:1]), torch.Generator())
