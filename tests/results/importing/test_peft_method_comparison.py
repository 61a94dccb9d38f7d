"""Files in the format of PEFT's method comparison: what becomes what, and what becomes of what is missing."""

import argparse
import math
from pathlib import Path
from typing import Any

import pytest

from bench.errors import ResultsError
from bench.results import importing
from bench.results.imported import Cell, Imported
from tests.results.importing.peft_files import IMAGE, TEXT, changed, put, scored

FAILED = {"train_info__status": "canceled", "train_info__metrics": TEXT["train_info"]["metrics"][:2]}


def read(folder: Path) -> Imported:
    found: Imported = importing.find("peft-method-comparison").read(argparse.Namespace(path=folder))
    return found


def one(tmp_path: Path, content: Any) -> Cell:
    (cell,) = read(put(tmp_path / "MetaMathQA" / "results", it=content)).cells
    return cell


def scores(cell: Cell) -> dict[str, dict[str, Any]]:
    return {score["metric"]: score for score in cell.happened["scores"]}


def test_the_text_task(tmp_path: Path) -> None:
    cell = one(tmp_path, TEXT)
    asked, found = cell.asked, scores(cell)
    assert cell.place == ("some-lab/tiny-1B", "MetaMathQA", "lora/tiny-rank8", "clean", 600, 0)
    assert (asked["family"], asked["modality"]) == ("causal_lm", "text")
    assert asked["options"]["lora"]["lora_alpha"] == 16
    assert "revision" not in asked["options"]["lora"]  # null: PEFT's default
    assert asked["definition"]["budget"]["learning_rate"] == 0.0002
    share = 400 / 1319
    assert found["accuracy"] == {
        "metric": "accuracy", "value": share, "unit": "", "better": "higher", "n": 1319,
        "error": pytest.approx(math.sqrt(share * (1 - share) / 1318)),
    }  # fmt: skip
    assert found["forgetting"]["better"] == found["training_seconds"]["better"] == "lower"
    assert {name: score["value"] for name, score in found.items() if score["unit"] in ("s", "bytes")} == {
        "training_seconds": 512.25,
        "training_peak_reserved": 6_500_000_000,
        "training_mean_reserved": 4_000_000_000,
        "training_p99_reserved": 5_200_000_000,
        "checkpoint_bytes": 3_200_000,
    }
    assert found["trainable_parameters"]["value"] == 800_000
    assert (found["training_steps"]["value"], found["training_examples"]["value"]) == (300, 600)
    assert (cell.happened["seconds"], cell.happened["skipped"]) == (640.5, {})
    assert cell.environment["machine"]["accelerator"] == "Some GPU 48GB"
    assert cell.environment["packages"] == {"transformers": "5.1.0", "peft": "0.20.0", "torch": "2.10.0"}
    assert cell.environment["commit"] == "dd44"
    assert cell.environment["datasets"] == {"metamath": "bb22", "gsm8k": "cc33"}


def test_its_validations_lie_beside_it(tmp_path: Path) -> None:
    assert one(tmp_path, TEXT).beside["curve.csv"].decode().splitlines()[:2] == [
        "trial,step,train_loss,validation_loss,seconds,validation_accuracy",
        "0,100,1.1,,170.0,0.22",
    ]


def test_the_image_task(tmp_path: Path) -> None:
    cell = one(tmp_path, IMAGE)
    found = scores(cell)
    assert cell.place == ("some-lab/tiny-painter", "some-lab/one-dog", "lora/painter-rank8", "clean", 15 - 2 - 3, 0)
    assert (found["dino_similarity"]["value"], found["dino_similarity"]["n"]) == (0.71, 3)
    assert found["dino_similarity"]["error"] is None  # of three pictures nothing is known but their mean
    assert (found["drift"]["better"], found["drift"]["n"]) == ("lower", 2)
    assert cell.environment["datasets"] == {"some-lab/one-dog": "ee55"}


def test_both_tasks_from_the_folder_above(tmp_path: Path) -> None:
    put(tmp_path / "MetaMathQA" / "results", a=TEXT)
    put(tmp_path / "image-gen" / "results", b=IMAGE)
    put(tmp_path / "MetaMathQA" / "experiments" / "lora", adapter_config={"r": 8})
    found = read(tmp_path)
    assert (found.left_out, found.unreadable) == ([], [])
    assert found.primary == {"causal_lm": "accuracy", "text_to_image": "dino_similarity"}
    assert "2 results on MetaMathQA, some-lab/one-dog; PEFT 0.20.0, on Some GPU 48GB" in found.description


def test_full_finetuning_has_no_config(tmp_path: Path) -> None:
    assert one(tmp_path, changed(TEXT, run_info__peft_config=None)).asked["options"] == {"full_finetuning": {}}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"train_info__file_size": 99999999}, {"checkpoint_bytes": "could not be saved"}),
        ({"train_info__num_trainable_params": ...}, {"trainable_parameters": "not in the file"}),
        ({"train_info__train_time": "long"}, {"training_seconds": '"long" in the file is no value'}),
        ({"train_info__train_time": -1}, {"training_seconds": "-1 in the file is no value"}),
        ({"train_info__accelerator_memory_max": True}, {"training_peak_reserved": "true in the file is no value"}),
        ({"train_info__accelerator_memory_max": math.nan}, {"training_peak_reserved": "NaN in the file is no value"}),
        (
            {"train_info__metrics": TEXT["train_info"]["metrics"][:3]},
            dict.fromkeys(
                (
                    *("accuracy", "forgetting", "train_loss", "training_steps", "training_examples"),
                    "training_tokens",
                ),
                "not in the file",
            ),
        ),
    ],
)
def test_what_is_missing_is_said_and_nothing_stands_for_it(
    changes: dict[str, Any], missing: dict[str, str], tmp_path: Path
) -> None:
    cell = one(tmp_path, changed(TEXT, **changes))
    assert cell.happened["skipped"].keys() == missing.keys()
    assert all(said in cell.happened["skipped"][name] for name, said in missing.items())
    assert not missing.keys() & scores(cell).keys()


def test_a_share_of_other_problems_has_no_standard_error(tmp_path: Path) -> None:
    for content in (scored(TEXT, "a", test_accuracy=0.123456), changed(TEXT, meta_info__dataset_info={})):
        found = scores(one(tmp_path, content))["accuracy"]
        assert (found["n"], found["error"]) == (0, None)


def test_files_of_earlier_versions(tmp_path: Path) -> None:
    old = changed(TEXT, run_info__error_msg=..., meta_info={"model_sha": "aa"}, train_info__num_total_params=...)
    trained, system = old["train_info"], {"gpu": "Older GPU"}
    for name in ("memory_max", "memory_reserved_avg", "memory_reserved_99th"):
        trained[f"cuda_{name}"] = trained.pop(f"accelerator_{name}")
    old["meta_info"]["system_info"] = system
    cell = one(tmp_path, old)
    assert scores(cell)["training_peak_reserved"]["value"] == 6_500_000_000
    assert cell.environment["machine"] == {"accelerator": "Older GPU"}
    assert cell.asked["target"] == "MetaMathQA"  # by its template: no dataset is named
    assert "packages" not in cell.environment


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", "out_of_memory", "canceled: CUDA out of memory. Tried to"),
        ("manually canceled", "failed", "canceled: manually canceled"),
        ("a\nlong\n" + "story " * 500, "failed", "canceled: a long story"),
        (None, "failed", 'its status is "canceled", without a reason'),
    ],
)
def test_runs_that_failed_are_rows(said: str | None, status: str, reason: str, tmp_path: Path) -> None:
    failed = changed(TEXT, run_info__error_msg=said, **FAILED)
    put(tmp_path / "cancelled_results", it=failed)
    (cell,) = read(tmp_path).cells
    assert (cell.happened["status"], cell.happened["scores"]) == (status, [])
    assert cell.happened["reason"].startswith(reason)
    assert cell.asked["data_size"] == 600  # as it was asked: 300 steps of 2


def test_of_several_runs_of_an_experiment_the_last_that_succeeded_counts(tmp_path: Path) -> None:
    first = changed(TEXT, run_info__created_at="2025-12-01T00:00:00+00:00", train_info__train_time=1.0)
    failed = changed(TEXT, run_info__created_at="2026-02-01T00:00:00+00:00", **FAILED)
    put(tmp_path / "results", a=TEXT, b=first)
    put(tmp_path / "cancelled_results", c=failed)
    found = read(tmp_path)
    (cell,) = found.cells
    assert scores(cell)["training_seconds"]["value"] == 512.25
    assert found.left_out == [
        "2 runs of experiments that were run again: lora/tiny-rank8; the last that succeeded counts"
    ]


def test_another_seed_is_another_result(tmp_path: Path) -> None:
    put(tmp_path, a=TEXT, b=changed(TEXT, run_info__train_config__seed=1))
    assert [cell.asked["seed"] for cell in read(tmp_path).cells] == [0, 1]


def test_what_is_not_said_has_a_stand_in_that_is_told(tmp_path: Path) -> None:
    config = {key: TEXT["run_info"]["train_config"][key] for key in ("dtype", "query_template")}
    bare = changed(TEXT, run_info__train_config=config, run_info__experiment_name=..., train_info__metrics=[])
    found = read(put(tmp_path, **{"lora__a": bare}))
    (cell,) = found.cells
    assert cell.place == ("unknown", "MetaMathQA", "lora/a", "clean", 0, 0)
    assert [line.split(": ")[1] for line in found.left_out] == [
        "the model is not said; unknown stands for it",
        "the seed is not said; 0 stands for it",
    ]
    assert found.told == ["no result has a number of training examples, so 0 stands for it in all"]


def test_a_result_without_a_size_beside_others_is_left_out_and_counted(tmp_path: Path) -> None:
    config = {"model_id": "some-lab/tiny-1B", "dataset_name": "some/sounds"}
    new = changed(TEXT, run_info__train_config=config, meta_info__dataset_info=None)
    put(tmp_path / "MetaMathQA" / "results", a=TEXT)
    put(tmp_path / "sounds" / "results", b=new, c=changed(new, run_info__experiment_name="ia3/x"))
    found = read(tmp_path)
    assert [cell.asked["data_size"] for cell in found.cells] == [600]
    assert found.left_out == [
        "2 results without a number of training examples, which others have: sounds/results/b.json, "
        "sounds/results/c.json; name a folder of nothing but such results, or complete train_config there"
    ]
    alone = read(tmp_path / "sounds")
    assert [cell.asked["data_size"] for cell in alone.cells] == [0, 0]
    assert not any("without a number" in line for line in alone.left_out)


def test_a_task_of_the_future(tmp_path: Path) -> None:
    config = {"model_id": "m", "dataset_name": "some/sounds", "seed": 3, "max_steps": 5}
    new = changed(TEXT, run_info__train_config=config, meta_info__dataset_info=None)
    new["train_info"]["metrics"] = [{"step": 5, "test word error": 0.2}]
    found = read(put(tmp_path, a=new))
    (cell,) = found.cells
    assert cell.asked["target"] == "some/sounds"
    assert scores(cell)["word_error"]["better"] == "none"
    assert found.told[1:] == ["word_error: whether higher or lower is better is not known, so none is the best"]


def test_versions_and_accelerators_that_differ_are_told(tmp_path: Path) -> None:
    other = scored(TEXT, "ia3/tiny")
    other["meta_info"]["package_info"]["peft-version"] = "0.21.0"
    other["meta_info"]["system_info"]["accelerator"] = "Other GPU"
    told = read(put(tmp_path, a=TEXT, b=other)).told
    assert "2 versions of PEFT" in told[0]
    assert "Other GPU, Some GPU 48GB: seconds and bytes do not compare" in told[1]


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    deep = "[" * 100_000
    put(tmp_path, a=TEXT, broken="{", empty="", deep=deep, other={"runs": []}, listed=[1], bare={"run_info": {}})
    put(tmp_path, seed=changed(TEXT, run_info__train_config__seed=-1, run_info__experiment_name="x"))
    put(tmp_path, long=changed(TEXT, run_info__train_config__model_id="m" * 300))
    (tmp_path / "large.json").write_bytes(b" " * (5 << 20))
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    found = read(tmp_path)
    assert len(found.cells) == 1
    named = " ".join(line.partition(":")[0] for line in found.unreadable)
    assert sorted(named.replace(",", "").split()) == sorted(
        f"{name}.json" for name in ("broken", "empty", "deep", "seed", "long", "large", "gone")
    )
    assert found.left_out == [
        "bare.json: no result of PEFT's comparison: it has no train_info",
        "listed.json: no result of PEFT's comparison: it holds no sections",
        "other.json: no result of PEFT's comparison: it has no run_info",
    ]


def test_trial_runs_are_left_out_unless_their_folder_is_named(tmp_path: Path) -> None:
    put(tmp_path / "task" / "results", a=TEXT)
    tried = put(tmp_path / "task" / "temporary_results", b=scored(TEXT, "ia3/x"))
    assert read(tmp_path).left_out == ["1 file in temporary_results, runs of branches; name that folder to import them"]
    assert [cell.asked["approach"] for cell in read(tried).cells] == ["ia3/x"]


def test_a_folder_without_results(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"holds no result of PEFT's comparison \(no JSON file\); name PEFT's"):
        read(tmp_path)
    with pytest.raises(ResultsError, match="no folder; name PEFT's method_comparison"):
        read(tmp_path / "nowhere")
    put(tmp_path, a={"some": "thing"})
    with pytest.raises(ResultsError, match=r"\(a.json: no result of PEFT's comparison: it has no run_info\)"):
        read(tmp_path)


def test_a_config_of_any_size_or_depth_does_no_harm(tmp_path: Path) -> None:
    nested: Any = 1
    for _ in range(300):
        nested = {"a": nested}
    put(tmp_path, a=changed(TEXT, run_info__peft_config={"peft_type": "LORA", "deep": nested}))
    put(tmp_path, b=changed(TEXT, run_info__train_config__query_template="x" * 10**6, run_info__experiment_name="b"))
    found = read(tmp_path)
    assert [next(iter(cell.asked["options"].values())) == {} for cell in found.cells] == [False, True]
    assert found.left_out == [
        "b.json: train_config is larger or deeper than a config, and left out",
        "a.json: peft_config is larger or deeper than a config, and left out",
    ]
