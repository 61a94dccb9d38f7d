"""`bench export`: a model's folder and its card, and one line for whatever cannot be had."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from bench import __main__
from bench.results import files, packed, runs, weights
from tests import tiny


@pytest.fixture(scope="module")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best cell of the finished run, as the command line exports it."""
    folder = tmp_path_factory.mktemp("taken") / "home" / "model"
    assert __main__.main(["export", str(finished), str(folder)]) == 0
    return folder


def best(finished: Path) -> str:
    return weights.cell_of(weights.there(finished)[0])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert __main__.main(["export", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_it_scores_the_same_where_bench_is_not(exported: Path, finished: Path, tmp_path: Path) -> None:
    """Perplexity of the test split, by the arithmetic of a user who has transformers alone."""
    script = """
import json, sys
sys.modules["bench"] = None
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, texts = sys.argv[1], json.loads(open(sys.argv[2]).read())
model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
end, total, count = tokenizer.eos_token_id, 0.0, 0
for text in texts:
    tokens = [end, *tokenizer(text)["input_ids"]]
    for start in range(0, len(tokens) - 1, 32):  # it has 32 positions, and each token is predicted once
        row = torch.tensor([tokens[start : start + 33]])
        with torch.no_grad():
            logits = model(row[:, :-1]).logits.double()
        total += float(torch.nn.functional.cross_entropy(logits[0], row[0, 1:], reduction="sum"))
        count += row.shape[1] - 1
print(json.dumps([total / count, count]))
"""
    from bench import dataset

    (tmp_path / "score.py").write_text(script)
    (tmp_path / "texts.json").write_text(json.dumps(list(dataset.load("python_reference", {}).test)))
    command = [sys.executable, *map(str, (tmp_path / "score.py", exported, tmp_path / "texts.json"))]
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=True)
    nats, count = json.loads(ran.stdout.splitlines()[-1])
    record = runs.read_record(finished, best(finished))
    assert record
    (score,) = (one for one in record["happened"]["scores"] if one["metric"] == "perplexity")
    assert math.exp(nats) == pytest.approx(score["value"], rel=1e-5)
    assert count > 100


def test_the_card_is_one_that_the_hub_reads(exported: Path, finished: Path) -> None:
    card = ModelCard.load(exported / "README.md")
    record = runs.read_record(finished, best(finished))
    assert record
    scores = {score["metric"]: score for score in record["happened"]["scores"]}
    results = {result.metric_type: result for result in card.data.eval_results}
    assert "perplexity" in results
    assert results["perplexity"].metric_value == scores["perplexity"]["value"]
    assert results["perplexity"].dataset_type == "python_reference"
    assert not {"training_seconds", "latency_p50[batch=1]"} & results.keys(), "what it cost is no score of it"
    (index,) = yaml.safe_load((exported / "README.md").read_text().split("---")[1])["model-index"]
    assert index["name"] == best(finished)
    args = {metric["type"]: metric["args"] for metric in index["results"][0]["metrics"]}["perplexity"]
    assert args["n"] == scores["perplexity"]["n"]
    low, high = args["over_seeds"]["interval"]
    assert low < args["over_seeds"]["mean"] < high
    assert args["over_seeds"]["seeds"] == 2
    assert {"zero_shot", "from_scratch"} & args["controls"].keys()
    assert card.data.library_name == "transformers"
    assert card.data.pipeline_tag == "text-generation"
    assert "float32" in card.text
    assert str(Path.home()) not in card.content
    assert str(finished.parent) not in card.content


def test_the_folder_says_nothing_of_this_machine(exported: Path, finished: Path) -> None:
    for path in exported.rglob("*"):
        if path.is_file():
            assert str(finished.parents[3]).encode() not in path.read_bytes()
    names = {path.name for path in exported.iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "generation_config.json"} <= names
    assert oct(exported.stat().st_mode & 0o777) == "0o755"
    assert not [path for path in exported.parent.iterdir() if path != exported], "nothing is left beside it"


def test_a_cell_alone_is_looked_for_in_all_runs(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", best(finished), str(tmp_path / "model"), "--results", str(finished.parent.parent), "--json"]
    assert __main__.main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cell"] == best(finished)
    assert said["run"] == str(finished)
    assert (said["kind"], said["reader"]) == ("whole", "transformers.AutoModelForCausalLM")
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_run_that_was_unpacked_is_as_good(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    packed.unpack(folder)
    (tmp_path / "model").mkdir()
    assert __main__.main(["export", str(folder / "cells" / f"{best(finished)}.json"), str(tmp_path / "model")]) == 0
    assert "whole weights" in capsys.readouterr().out
    assert (tmp_path / "model" / "README.md").exists()


def test_folders_that_will_not_do(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "full: is not empty; name one that is not there yet" in refused(capsys, finished, tmp_path / "full")
    assert "mine.txt: is no folder; " in refused(capsys, finished, tmp_path / "full" / "mine.txt")
    assert "link: is no folder; " in refused(capsys, finished, tmp_path / "link")
    assert "mine.txt" in refused(capsys, finished, tmp_path / "full" / "mine.txt" / "model")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("approach", "said"),
    [
        ("real_data", "real_data is no model, real examples stand where samples would; name another"),
        ("zero_shot", "zero_shot trains nothing, so it has no weights: it is the pretrained model; name another"),
    ],
)
def test_controls_that_have_no_weights(
    approach: str, said: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cell,) = (record["cell"] for record in runs.records(finished) if f"-{approach}-n0-s0" in record["cell"])
    assert said in refused(capsys, finished / cell, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_weights_that_were_not_kept(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {record["cell"] for record in runs.records(finished) if record["happened"]["trials"]}
    cell = min(names - {best(finished)})
    line = refused(capsys, finished / cell, tmp_path / "model")
    assert f"{cell}: its weights were not kept in {finished}; train it again with `bench run tiny --new" in line
    assert best(finished) in line


def test_a_name_that_no_cell_has(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong, results = best(finished).replace("python", "pyton"), finished.parent.parent
    assert f"did you mean '{best(finished)}'?" in refused(capsys, finished / wrong, tmp_path / "model")
    assert f"did you mean '{best(finished)}'?" in refused(capsys, wrong, tmp_path / "model", "--results", results)
    assert "no cell of a run in nowhere" in refused(capsys, wrong, tmp_path / "model", "--results", "nowhere")
    refused(capsys, "../../etc/passwd", tmp_path / "model")
    refused(capsys, "\x1b[2J", tmp_path / "model")
    refused(capsys, "", tmp_path / "model", "--results", tmp_path)


def test_cells_that_did_not_end_well_and_weights_that_are_damaged(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, cell = tiny.latest(tiny.copied(finished, tmp_path)), best(finished)
    path = weights.path(folder, cell)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert "damaged, its checksum is another than when it was trained" in refused(capsys, folder, tmp_path / "model")
    packed.unpack(folder)
    record = files.read_json(runs.record_path(folder, cell))
    record["happened"] |= {"status": "failed", "reason": "a wheel\nis loose", "scores": []}
    files.write_json(runs.record_path(folder, cell), record)
    line = refused(capsys, folder / cell, tmp_path / "model")
    assert f"{cell}: failed (a wheel" in line
    shutil.rmtree(folder / weights.FOLDER)
    assert "kept no weights; run its suite again with --new --keep all" in refused(capsys, folder, tmp_path / "model")
    record["asked"]["definition"] = {}
    record["happened"]["status"] = "ok"
    path.parent.mkdir()
    path.write_text("")
    info = files.read_json(folder / "run.json")
    files.write_json(folder / "run.json", {name: value for name, value in info.items() if name != "weights"})
    files.write_json(runs.record_path(folder, cell), record)
    assert "another version recorded what was asked of it" in refused(capsys, folder / cell, tmp_path / "model")


def test_what_is_no_file_of_weights_is_one_line(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a run without checksums, as one that is not finished."""
    folder, cell = tiny.latest(tiny.copied(finished, tmp_path)), best(finished)
    weights.path(folder, cell).write_bytes(b"\x80\x04nonsense")
    info = files.read_json(folder / "run.json")
    files.write_json(folder / "run.json", {name: value for name, value in info.items() if name != "weights"})
    line = refused(capsys, folder / cell, tmp_path / "model")
    assert "not the weights of this cell as it is set up now" in line
    assert not (tmp_path / "model").exists()
    assert not list(tmp_path.glob(".partial-*"))
