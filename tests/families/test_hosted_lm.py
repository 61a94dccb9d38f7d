"""A language model behind an endpoint: what it is asked, what its answers mean, and every way in which they go wrong.

All of it against real HTTP on loopback.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.dataset import Dataset
from bench.errors import CellEnd, CheckpointError, NotApplicable, SuiteError
from bench.evaluation import Evaluation, Training
from bench.families.hosted_lm import HostedLM
from bench.metrics.perplexity import perplexity
from bench.results import runs
from bench.suite import loading
from tests import hosting, tiny
from tests.hosting import Fault, Server, serving, status
from tests.models import prepare, texts, transfer_of, whole

KEY = "sk-very-secret-4711"
TRICKY = ["", "a", "plain ASCII", "naïve café — 日本語 🎉", "line\n\n\ttab  two spaces ", "###\n\n"]
SEPARATOR = "\n\n###\n\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


os.environ["KEY_OF_A_TEST"] = KEY  # before any run: cells inherit what was there when their server was started


def model_at(server: Server, **options: Any) -> HostedLM:
    known: dict[str, Any] = {"endpoint": server.url, "key_variable": "KEY_OF_A_TEST", "max_new_tokens": 8}
    known |= {"timeout": 20.0, "retries": 2, "backoff": 0.001, "patience": 0.5}
    return HostedLM("characters", **known | options)


def samples(model: HostedLM, count: int = 3, seed: int = 0) -> list[str]:
    with torch.inference_mode():
        batch = whole(model, texts().test[:count])
        return model.decode(model.join([model.sample(batch, torch.Generator().manual_seed(seed))]))


# What it is asked, and what that means --------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [1, 3, 4096])
def test_decoding_undoes_encoding(server: Server, context: int) -> None:
    model = model_at(server, context=context)
    assert model.decode(model.encode(TRICKY)) == TRICKY
    assert not server.requests


def test_what_is_asked_for(server: Server) -> None:
    samples(model_at(server, temperature=0.7), 1)
    ((path, headers, body),) = server.requests
    assert path == "/v1/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert 0 <= body.pop("seed") < 2**31
    assert body == {
        "model": "characters",
        "prompt": SEPARATOR,
        "stop": [SEPARATOR],
        "max_tokens": 8,
        "temperature": 0.7,
    }


def test_without_a_key_none_is_sent(server: Server) -> None:
    samples(model_at(server, key_variable=""), 1)
    assert "Authorization" not in server.requests[0][1]


def test_samples_are_the_seeds_whatever_the_order_of_answers(server: Server) -> None:
    model = model_at(server, concurrency=4)
    assert samples(model, 6) == samples(model_at(server, concurrency=1), 6)
    assert samples(model, 6) != samples(model, 6, seed=1)
    assert len(set(samples(model, 6))) > 1


def test_no_more_requests_at_a_time_than_allowed(server: Server) -> None:
    def slow(handler: hosting.Handler, body: dict[str, Any]) -> None:
        time.sleep(0.02)
        hosting.completion(handler, body)

    server.always = slow
    samples(model_at(server, concurrency=3), 6)
    assert 1 < server.most_under_way <= 3


def test_a_sample_ends_where_the_next_text_would_begin(server: Server) -> None:
    server.always = hosting.says({"choices": [{"text": f"One.{SEPARATOR}Two."}]})
    assert samples(model_at(server), 1) == ["One."]


def test_the_likelihood_is_what_the_server_says_of_the_text_behind_the_separator(server: Server) -> None:
    model, items = model_at(server), [*TRICKY, "aaa"]
    nats, tokens = model.nll(whole(model, items))
    assert tokens.tolist() == [len(text) for text in items]
    assert nats.tolist() == pytest.approx([hosting.nats(text, SEPARATOR) for text in items], rel=1e-9)
    asked = len(server.requests)
    assert asked == len(items), "once for what stands before all of them, and not for the empty one"
    model.nll(whole(model, ["b"]))
    assert len(server.requests) == asked + 1


def test_a_token_that_begins_before_the_text_counts_in_full(server: Server) -> None:
    def merging(handler: hosting.Handler, body: dict[str, Any]) -> None:
        """Two line feeds are one token, wherever they are; so is a line feed before an ``a``."""
        tokens = [hosting.START, "\n\n", "###", "\n", "\n"]
        tokens = [*tokens[:-1], "\na", "b"] if body["prompt"].endswith("ab") else tokens
        listed = {"tokens": tokens, "token_logprobs": [None, -1.0, -2.0, -4.0, -8.0, -16.0][: len(tokens)]}
        usage = {"prompt_tokens": len(tokens), "total_tokens": len(tokens)}
        handler.answer(200, {"choices": [{"text": "", "logprobs": listed}], "usage": usage})

    server.always = merging
    nats, tokens = model_at(server).nll(whole(model_at(server), ["ab"]))
    assert (nats.tolist(), tokens.tolist()) == ([24.0], [2])


def test_bits_per_byte_of_a_hosted_model(server: Server) -> None:
    model = model_at(server, context=10)
    data = Dataset("texts", "text", ["a"], ["b"], ["naïve", "The number 5 follows 4."])
    made = Evaluation(model, data, lambda split: model.encode(getattr(data, split)), 4, 2, 0, Training())
    scores = {score.metric: score.value for score in perplexity(made)}
    rows = ["naïve", "The number", " 5 follows", " 4."]
    nats = sum(hosting.nats(row, SEPARATOR) for row in rows)
    assert scores["bits_per_byte"] == pytest.approx(nats / math.log(2) / 29, rel=1e-9)
    assert scores["perplexity"] == pytest.approx(math.exp(nats / 28), rel=1e-9)


@pytest.mark.parametrize(
    ("said", "unrestored"),
    [
        (lambda token: token, 0),
        (str.lower, 2 / 15),  # the first letters of two texts
        (lambda token: "\N{REPLACEMENT CHARACTER}" if token == "ï" else token, 0),  # which may be a part of a character
        (lambda token: token.replace(" ", "Ġ"), None),
    ],
)
def test_what_a_hosted_tokenizer_loses_as_far_as_its_tokens_say(
    server: Server, said: Callable[[str], str], unrestored: float | None
) -> None:
    def lossy(handler: hosting.Handler, body: dict[str, Any]) -> None:
        listed = hosting.logprobs(body["prompt"])
        listed["tokens"] = [said(token) for token in listed["tokens"]]
        usage = {"prompt_tokens": len(listed["tokens"]), "total_tokens": len(listed["tokens"])}
        handler.answer(200, {"choices": [{"text": "", "logprobs": listed}], "usage": usage})

    server.always = lossy
    model, items = model_at(server, context=6), ["Naïve", "The f i v", ""] if unrestored is not None else ["a b"]
    data = Dataset("texts", "text", ["a"], ["b"], items)
    made = Evaluation(model, data, lambda split: model.encode(getattr(data, split)), 4, 2, 0, Training())
    found = {score.metric: score for score in perplexity(made)}
    assert ("unrestored" in found) is (unrestored is not None)
    if unrestored is not None:
        assert found["unrestored"].value == pytest.approx(unrestored)
        assert found["unrestored"].n == 3 - (said("ï") == "\N{REPLACEMENT CHARACTER}")


def test_examples_stand_before_each_text(server: Server) -> None:
    model, data = model_at(server, positions=120), texts()
    prepare(transfer_of(model, data), "few_shot_prompting", few_shot_prompting={"shots": 3})
    assert 1 <= len(model.examples) <= 3
    assert set(model.examples) <= set(data.train)
    before = SEPARATOR + "".join(text + SEPARATOR for text in model.examples)
    assert len(before.encode()) / model.bytes_per_token <= 60 + len(SEPARATOR)
    nats, _ = model.nll(whole(model, ["The number"]))
    assert nats.tolist() == pytest.approx([hosting.nats("The number", before)], rel=1e-9)
    samples(model, 1)
    assert server.requests[-1][2]["prompt"] == before


@pytest.mark.parametrize("text", ["a" * 500, "ü" * 500])
def test_where_no_example_fits_the_shortest_is_cut(server: Server, text: str) -> None:
    model = model_at(server, positions=100)
    model.show([text], 40)
    (example,) = model.examples
    assert text.startswith(example)
    assert 30 < model.lengths([example])[0] <= 40
    assert model.limit == 60


def test_in_a_chat_what_is_asked_takes_its_place_too(server: Server) -> None:
    short, long = (model_at(server, protocol="chat", instruction="Go on." * count) for count in (1, 10))
    assert long.lengths(["One."])[0] - short.lengths(["One."])[0] == 18


def test_examples_of_a_chat_are_answers(server: Server) -> None:
    model = model_at(server, protocol="chat", instruction="Go on.")
    model.show(["One.", "Two."], 100)
    samples(model, 1)
    path, _, body = server.requests[-1]
    asked = {"role": "user", "content": "Go on."}
    told = [{"role": "assistant", "content": text} for text in ("One.", "Two.")]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [asked, told[0], asked, told[1], asked]


def test_saving_and_loading_keep_the_name(server: Server, tmp_path: Path) -> None:
    model = model_at(server)
    model.save(tmp_path)
    common: dict[str, Any] = {"revision": None, "trust_remote_code": False, "endpoint": server.url}
    assert HostedLM.from_checkpoint(str(tmp_path), **common).name == "characters"
    assert HostedLM.from_checkpoint("org/any:name", **common).name == "org/any:name"


# No log-probabilities -------------------------------------------------------------------------------------------------

USAGE = {"prompt_tokens": 9, "total_tokens": 10}
PARTS = {"tokens": ["x"] * 9, "token_logprobs": [None] * 9}


@pytest.mark.parametrize(
    "answer",
    [
        hosting.says({"choices": [{"text": "x"}], "usage": USAGE}),
        hosting.says({"choices": [{"text": "x", "logprobs": None}], "usage": USAGE}),
        hosting.says(
            {"choices": [{"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-1.0]}}], "usage": USAGE}
        ),
        hosting.says({"choices": [{"text": "x", "logprobs": PARTS}]}),
        hosting.says({"choices": [{"text": "x", "logprobs": {"content": []}}], "usage": USAGE}),
        status(400, {"error": {"message": "echo with logprobs is not supported"}}),
        status(422, {"detail": "Unexpected fields"}),
    ],
)
def test_a_server_without_log_probabilities(server: Server, answer: Fault) -> None:
    server.always = answer
    model = model_at(server)
    with pytest.raises(NotApplicable, match=r"log-probabilit") as caught:
        model.nll(whole(model, ["a text"]))
    assert "\n" not in str(caught.value)


def test_first_tokens_without_a_log_probability(server: Server) -> None:
    """Where all of the beginning and of the text is one token, nothing predicts it."""
    parts = [{"tokens": [word], "token_logprobs": [None]} for word in ("one", "other")]
    server.faults = [
        hosting.says({"choices": [{"text": "", "logprobs": part}], "usage": {"prompt_tokens": 1}}) for part in parts
    ]
    model = model_at(server, concurrency=1)
    with pytest.raises(NotApplicable, match="no log-probability of some tokens"):
        model.nll(whole(model, ["a text"]))


def test_a_chat_has_no_likelihood(server: Server) -> None:
    model = model_at(server, protocol="chat")
    with pytest.raises(NotApplicable, match="in a chat"):
        model.nll(whole(model, ["a text"]))
    assert not server.requests


# Servers that misbehave -----------------------------------------------------------------------------------------------

PAGE = "<!DOCTYPE html>\n<html><body>\x1b[31mIt works!</body></html>"
FOR_GOOD: dict[str, tuple[Fault, str, int]] = {
    "HTML": (hosting.says(PAGE, Content_Type="text/html"), "no JSON object but text/html, '<!DOCTYPE html>", 1),
    "nothing": (hosting.says(""), "no JSON object", 1),
    "half an answer": (hosting.says('{"choices": [{"te'), "no JSON object", 1),
    "a list": (hosting.says([1, 2]), "no JSON object", 1),
    "no UTF-8": (hosting.says(b"\xff\xfe\x00{"), "no JSON object", 1),
    "nested": (hosting.says("[" * 200_000), "no JSON object", 1),
    "another API": (hosting.says({"result": "ok"}), "no choices in it, but 'result'", 1),
    "no choice": (hosting.says({"choices": []}), "no choices in it", 1),
    "no text": (hosting.says({"choices": [{"text": None}]}), r"no text at choices\[0\].text", 1),
    "a number": (hosting.says({"choices": [{"text": 7}]}), r"no text at choices\[0\].text", 1),
    "without end": (hosting.greedy_of_space, "an answer of more than 1048576 bytes", 1),
    "401": (status(401, {"error": {"message": "Incorrect key"}}), r"answered 401 \(Incorrect key\); .*key_variable", 1),
    "403": (status(403, {"error": "No"}), r"answered 403 \(No\); .*key_variable", 1),
    "404": (status(404, {"detail": "Not Found"}), r"answered 404 \(Not Found\); .*model's name", 1),
    "400": (status(400, {"message": "too long"}), r"answered 400 \(too long\)", 1),
    "301": (status(301, "", Location="http://127.0.0.1:1/"), "answered 301", 1),
    "429 for ever": (status(429, {"error": {"message": "Slow down"}}), r"429 \(Slow down\), 3 times in a row", 3),
    "429 for an hour": (status(429, "", Retry_After="3600"), "asks to wait 3600 s; .*patience", 1),
    "500": (status(500, "Internal Server Error"), r"500 \(Internal Server Error\), 3 times in a row; .*--retry", 3),
    "503 in HTML": (status(503, PAGE), "answered 503 .*, 3 times in a row", 3),
    "hanging": (hosting.hangs, "within 0.5 s, 3 times in a row; see that the server is up, or raise timeout", 3),
    "dripping": (hosting.drips, "no answer within 0.5 s, 3 times in a row", 3),
    "hanging up": (hosting.hangs_up, "no answer .*, 3 times in a row", 3),
    "ending early": (hosting.ends_early, "no answer .*, 3 times in a row", 3),
    "no HTTP": (hosting.no_http, "no answer .*, 3 times in a row", 3),
    "bad gzip": (hosting.says(b"no gzip", Content_Encoding="gzip"), "no answer .*, 3 times in a row", 3),
}

SLOW = ("hanging", "dripping")


@pytest.mark.parametrize("fault", FOR_GOOD)
def test_a_server_that_misbehaves_ends_the_cell_with_one_line(
    server: Server, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.families._endpoint._LARGEST", 1 << 20)
    server.always, said, requests = FOR_GOOD[fault]
    with pytest.raises(CellEnd, match=said) as caught:
        samples(model_at(server, timeout=0.5 if fault in SLOW else 20.0), 1)
    line = str(caught.value)
    assert line.startswith(f"{server.url}: ")
    assert line.isprintable()
    assert len(line) < 500
    assert caught.value.status == "failed"
    assert len(server.requests) == requests


def test_a_server_that_is_down(server: Server) -> None:
    server.server_close()
    with pytest.raises(CellEnd, match=r"no answer \(.*\), 3 times in a row; see that the server is up"):
        samples(model_at(server), 1)


@pytest.mark.parametrize("fault", ["429", "500", "503", "hanging", "hanging up", "no HTTP"])
def test_a_fault_that_passes_leaves_no_trace(server: Server, fault: str) -> None:
    expected = samples(model_at(server), 3)
    once = status(429, "") if fault == "429" else FOR_GOOD.get(fault, (status(503, ""), "", 0))[0]
    server.faults = [once, once]
    assert samples(model_at(server, concurrency=1, timeout=0.8 if fault in SLOW else 20.0), 3) == expected


def test_every_pause_is_twice_as_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("bench.families._endpoint.asyncio.sleep", sleep)
    server.always = status(500, "")
    with pytest.raises(CellEnd, match="6 times in a row"):
        samples(model_at(server, retries=5, backoff=1.0, patience=10.0), 1)
    for pause, most in zip(pauses, (1, 2, 4, 8, 10), strict=True):
        assert most / 2 <= pause <= most


@pytest.mark.parametrize("date", [False, True])
def test_the_wait_a_server_asks_for_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch, date: bool) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("bench.families._endpoint.asyncio.sleep", sleep)
    asked = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True) if date else "7.5"
    server.faults = [status(429, "", Retry_After=asked), status(429, "", Retry_After="soon")]
    samples(model_at(server, patience=10.0), 1)
    assert 6 < pauses[0] < 8.1
    assert pauses[1] < 0.01, "what is no number and no date asks for nothing"


# Keys and budgets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        status(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}),
        status(500, f"Authorization: Bearer {KEY}" * 20),
        hosting.says(f"<p>{KEY}</p>", Content_Type=f"text/html; key={KEY}"),
        hosting.says({KEY: KEY}),
    ],
)
def test_the_key_is_in_no_line(server: Server, answer: Fault) -> None:
    server.always = answer
    model = model_at(server, retries=1)
    with pytest.raises(CellEnd, match=r"\*\*\*") as caught:
        samples(model, 1)
    assert KEY[:8] not in str(caught.value)
    assert KEY not in repr(model.server)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("value", "said"), [(None, "is not set"), ("  ", "is not set"), ("a b", "is no key")])
def test_a_missing_or_mangled_key_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, value: str | None, said: str
) -> None:
    monkeypatch.delenv("KEY_OF_A_TEST") if value is None else monkeypatch.setenv("KEY_OF_A_TEST", value)
    with pytest.raises(CheckpointError, match=f"hosted model characters: .*KEY_OF_A_TEST.* {said}"):
        model_at(server)


@pytest.mark.parametrize(
    "endpoint", ["", "localhost:8000", "ftp://host/v1", "http://", "https://me:secret@host/v1", "http://host/v1?key=x"]
)
def test_an_address_that_will_not_do(server: Server, endpoint: str) -> None:
    with pytest.raises(CheckpointError, match="hosted model characters: option 'endpoint'") as caught:
        model_at(server, endpoint=endpoint)
    assert "secret" not in str(caught.value)


def test_a_cell_ends_before_its_budget_is_overspent(server: Server) -> None:
    """The server counts 8 tokens of a prompt and 8 of a sample; before, 3 and 8 are expected besides the markup."""
    model = model_at(server, token_budget=100, concurrency=1)
    with pytest.raises(CellEnd, match=r"(\d+) of 100 tokens are spent, .* raise token_budget"):
        samples(model, 6)
    assert 0 < len(server.requests) < 6
    assert 100 - 40 < model.server.spent <= 100


def test_a_budget_that_is_enough_changes_nothing(server: Server) -> None:
    model = model_at(server, token_budget=10_000)
    assert samples(model) == samples(model_at(server))
    assert 0 < model.server.spent < 10_000


# Whole runs -----------------------------------------------------------------------------------------------------------


def write(folder: Path, server: Server, **options: Any) -> Path:
    known = {"endpoint": server.url, "key_variable": "KEY_OF_A_TEST", "max_new_tokens": 8, "positions": 64}
    known |= {"retries": 1, "backoff": 0.01}
    model = {"family": "hosted_lm", "checkpoint": "org/characters:1b", "options": known | options}
    approaches = ["few_shot_prompting", "full_finetuning"]
    metrics = ["perplexity", "diversity"]
    return tiny.write(folder, models={"hosted": model}, approaches=approaches, metrics=metrics)


def ends(folder: Path) -> dict[str, dict[str, Any]]:
    return {record["asked"]["approach"]: record["happened"] for record in runs.records(folder)}


def test_a_folder_of_the_models_name_is_not_looked_at(server: Server, tmp_path: Path) -> None:
    (tmp_path / "org" / "characters:1b").mkdir(parents=True)
    cells = loading.load(write(tmp_path, server)).cells
    assert {cell.model.checkpoint for cell in cells} == {"org/characters:1b"}


def test_a_recipe_is_refused(tmp_path: Path) -> None:
    recipe = {"architecture": {}, "source": "python_reference", "steps": 1}
    model = {"family": "hosted_lm", "recipe": recipe, "options": {"endpoint": "http://localhost:8000/v1"}}
    with pytest.raises(SuiteError, match=r"models\.hosted\.recipe: hosted_lm has no network to pretrain; name a"):
        loading.load(tiny.write(tmp_path, models={"hosted": model}, metrics=["diversity"]))


def test_a_run_of_a_suite(server: Server, tmp_path: Path) -> None:
    folder = tiny.run(write(tmp_path, server))
    found = ends(folder)
    assert {name: end["status"] for name, end in found.items()} == {
        "zero_shot": "ok",
        "from_scratch": "not_applicable",
        "real_data": "ok",
        "training_data": "ok",
        "few_shot_prompting": "ok",
        "full_finetuning": "not_applicable",
    }
    assert "network" in found["from_scratch"]["reason"]
    scores = {
        name: {score["metric"]: score["value"] for score in end["scores"]}
        for name, end in found.items()
        if end["scores"]
    }
    assert scores["few_shot_prompting"]["bits_per_byte"] < scores["zero_shot"]["bits_per_byte"]
    assert "distinct_1" in scores["zero_shot"]
    for path in folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), "the key is written nowhere"


def test_a_run_whose_server_fails_ends_each_cell_with_a_line(server: Server, tmp_path: Path) -> None:
    server.always = status(500, f"out of order, {KEY}")
    folder = tiny.run(write(tmp_path, server))
    found = ends(folder)
    for approach in ("zero_shot", "few_shot_prompting"):
        assert found[approach]["status"] == "failed"
        assert "it answered 500 (out of order, ***), 2 times in a row" in found[approach]["reason"]
    assert not list(folder.rglob("traceback.txt"))


def test_what_has_no_log_probabilities_is_sampled_all_the_same(server: Server, tmp_path: Path) -> None:
    found = ends(tiny.run(write(tmp_path, server, protocol="chat")))
    assert found["zero_shot"]["status"] == "ok"
    assert "in a chat" in found["zero_shot"]["skipped"]["perplexity"]
    assert {score["metric"] for score in found["zero_shot"]["scores"]} >= {"distinct_1"}
