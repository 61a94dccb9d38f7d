"""The matrix a suite spells out: its order, its controls, its compositions, and what contradicts itself."""

from pathlib import Path

import pytest

from bench import dataset, plugins
from bench.errors import SuiteError
from bench.report import aggregate
from bench.report.plots import canvas
from bench.suite import loading
from bench.suite.matrix import CONTROLS
from tests.plans import DROP, IMAGES, Changes, cells, load, refused_run, write

TWO_MODALITIES: Changes = {
    "models/images": IMAGES,
    "datasets": ["python_reference", "handwritten_digits", "python_code"],
    "metrics": ["perplexity", "fidelity", "cost"],
}


def test_every_model_meets_the_datasets_of_its_modality(tmp_path: Path) -> None:
    pairs = [(cell.model_name, cell.target.name) for cell in cells(tmp_path, TWO_MODALITIES)]
    met = [("tiny", "python_reference"), ("tiny", "python_code"), ("images", "handwritten_digits")]
    assert list(dict.fromkeys(pairs)) == met
    left = ["python_code", "handwritten_digits"]
    chosen = {**TWO_MODALITIES, "models/tiny/datasets": ["python_code"], "datasets": left}
    assert {cell.target.name for cell in cells(tmp_path, chosen, model_name="tiny")} == {"python_code"}


def test_a_dataset_that_no_model_meets_is_named(tmp_path: Path) -> None:
    chosen: Changes = {**TWO_MODALITIES, "models/tiny/datasets": ["python_code"]}
    with pytest.raises(SuiteError, match=r"reference: it is text, and no model of the suite meets it; take it out"):
        cells(tmp_path, chosen)


def test_sizes_and_seeds_are_crossed_and_what_uses_no_data_has_one_size(tmp_path: Path) -> None:
    changes: Changes = {"data_sizes": [8, 4], "seeds": [2, 0]}
    points = [(cell.data_size, cell.seed) for cell in cells(tmp_path, changes, approach="lora")]
    assert points == [(8, 2), (8, 0), (4, 2), (4, 0)]
    for control in ("zero_shot", "real_data", "training_data"):
        assert [(cell.data_size, cell.seed) for cell in cells(tmp_path, changes, approach=control)] == [(0, 2), (0, 0)]
    assert len(cells(tmp_path, changes, approach="from_scratch")) == 4


def test_sizes_of_a_dataset_before_those_of_a_model_before_the_suite_s(tmp_path: Path) -> None:
    def sizes(changes: Changes) -> set[int]:
        return {cell.data_size for cell in cells(tmp_path, changes, approach="lora")}

    model: Changes = {"models/tiny/data_sizes": [5]}
    assert sizes({}) == {4}
    assert sizes(model) == {5}
    assert sizes(model | {"datasets": [{"name": "python_reference", "data_sizes": [6]}]}) == {6}


# Controls -----------------------------------------------------------------------------------------------------------


def order(folder: Path, *approaches: object) -> list[str]:
    return list(dict.fromkeys(cell.approach for cell in cells(folder, {"approaches": list(approaches)})))


def test_controls_are_always_there_and_first(tmp_path: Path) -> None:
    assert order(tmp_path, "lora") == [*CONTROLS, "lora"]
    assert order(tmp_path, "lora", "zero_shot", "full_finetuning") == [*CONTROLS, "lora", "full_finetuning"]
    assert order(tmp_path, "from_scratch") == list(CONTROLS)
    for cell in cells(tmp_path):
        assert cell.control == (cell.approach in CONTROLS)


def test_a_control_keeps_what_the_suite_says_of_it(tmp_path: Path) -> None:
    scratch = {"name": "no transfer", "approach": "from_scratch", "budget": {"clip": 0.5}}
    assert order(tmp_path, "lora", scratch) == ["zero_shot", "no transfer", "real_data", "training_data", "lora"]
    (cell,) = cells(tmp_path, {"approaches": ["lora", scratch]}, approach="no transfer")
    assert (cell.control, cell.budget.clip) == (True, 0.5)


def test_controls_are_the_approaches_that_say_so_and_the_report_knows_them() -> None:
    stated = [plugin.name for plugin in plugins.stating("approaches", "CONTROL")]
    assert list(CONTROLS) == stated == ["zero_shot", "from_scratch", "real_data", "training_data"]
    assert aggregate.CONTROLS == CONTROLS
    assert set(canvas.CONTROLS) == set(CONTROLS)


def test_a_second_version_of_a_control_comes_where_it_stands(tmp_path: Path) -> None:
    longer = {"name": "longer", "approach": "from_scratch", "budget": {"clip": 0.5}}
    assert order(tmp_path, "lora", "from_scratch", longer) == [*CONTROLS, "lora", "longer"]


# Approaches and compositions ----------------------------------------------------------------------------------------


def test_parts_of_a_composition_keep_their_order_and_their_own_options(tmp_path: Path) -> None:
    written = {"name": "both", "approach": "augmentation + lora", "options": {"lora": {"rank": 2}}}
    (cell,) = cells(tmp_path, {"approaches": [written]}, approach="both")
    (augmentation, _), (lora, options) = cell.chain
    assert (augmentation, lora) == ("augmentation", "lora")
    assert options == {"rank": 2, "alpha": 16.0, "dropout": 0.0, "layers": "all"}
    (turned,) = cells(tmp_path, {"approaches": ["lora+augmentation"]}, approach="lora+augmentation")
    assert [name for name, _ in turned.chain] == ["lora", "augmentation"]


@pytest.mark.parametrize(
    ("approach", "said"),
    [
        ("from_scratch + distillation", "from_scratch and distillation both replace the model; keep one of them"),
        ("zero_shot + augmentation", "zero_shot trains nothing, so nothing can be added to it; let it stand alone"),
        ("lora + real_data", "real_data trains nothing, so nothing can be added to it; let it stand alone"),
        (
            "lora + from_scratch",
            "from_scratch replaces the model, and with it what stands before it in 'lora + from_scratch'; "
            "name it first",
        ),
        ("lora + augmentation + lora", "lora stands twice in 'lora + augmentation + lora'; name it once"),
    ],
)
def test_contradictions_are_refused(
    approach: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, {"approaches": ["lora", approach]})
    assert refused_run(capsys, path) == f"approaches.{approach}: {said}"


def test_no_approach_may_spend_more_than_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    longer = {"name": "longer", "approach": "lora", "budget": {"steps": 7}}
    said = refused_run(capsys, write(tmp_path, {"approaches": ["lora", longer]}))
    assert said.startswith("budget.steps: approaches get different budgets (from_scratch: 2, lora: 2, longer: 7)")


def test_budgets_equal_in_examples_let_batches_differ(tmp_path: Path) -> None:
    wide = {"name": "wide", "approach": "lora", "budget": {"batch_size": 8}}
    changes: Changes = {"approaches": ["lora", wide], "budget": {"examples": 30, "batch_size": 4}}
    steps = {cell.approach: cell.budget.planned_steps for cell in cells(tmp_path, changes) if not cell.control}
    assert steps == {"lora": 8, "wide": 4}, "rounded up"


@pytest.mark.parametrize(("unit", "value", "other"), [("examples", 30, 31), ("seconds", 2.0, 3.0)])
def test_budgets_are_equal_in_the_unit_they_are_given_in(
    unit: str, value: float, other: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = {"name": "longer", "approach": "lora", "budget": {unit: other}}
    path = write(tmp_path, {"approaches": ["lora", longer], "budget": {unit: value}})
    assert refused_run(capsys, path).startswith(
        f"budget.{unit}: approaches get different budgets (from_scratch: {value}"
    )


def test_the_clock_plans_no_steps(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path, {"budget": {"seconds": 2.0}}, approach="lora")
    assert (cell.budget.planned_steps, cell.budget.seconds) == (None, 2.0)


def test_one_approach_under_two_names_with_different_options(tmp_path: Path) -> None:
    wide = {"name": "lora r64", "approach": "lora", "options": {"rank": 64}}
    found = cells(tmp_path, {"approaches": ["lora", wide]})
    ranks = {cell.approach: cell.chain[0][1]["rank"] for cell in found if not cell.control}
    assert ranks == {"lora": 8, "lora r64": 64}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"approaches": ["lora", {"name": "mine", "approach": "lora", "options": {"rank": 8}}]},
            "approaches: 'mine' is the same as 'lora'; take one out, or change what it does",
        ),
        (
            {"approaches": [{"name": "lora", "approach": "full_finetuning"}]},
            "approaches.lora: 'lora' is the name of an approach, and this is 'full_finetuning'; give it another name",
        ),
        (
            {"approaches": [{"name": "zero_shot", "approach": "lora"}]},
            "approaches.zero_shot: 'zero_shot' is the name of an approach, and this is 'lora'; give it another name",
        ),
    ],
)
def test_a_name_means_one_thing(
    changes: Changes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_run(capsys, write(tmp_path, changes)) == said


def test_one_model_under_two_names_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, {"models/copy": load(tmp_path).file.models["tiny"].model_dump(exclude_defaults=True)})
    assert refused_run(capsys, path) == "models: 'copy' is the same as 'tiny'; take one out, or change what it does"


# Metrics ------------------------------------------------------------------------------------------------------------


def test_a_model_is_scored_by_what_it_can_be_asked_for(tmp_path: Path) -> None:
    scored = {cell.model_name: [name for name, _ in cell.metrics] for cell in cells(tmp_path, TWO_MODALITIES)}
    assert scored == {"tiny": ["perplexity", "cost"], "images": ["fidelity", "cost"]}
    own = {**TWO_MODALITIES, "models/images/metrics": ["loss", {"fidelity": {"space": "inception_v3"}}]}
    for cell in cells(tmp_path, own, model_name="images"):
        (loss, _), (fidelity, options) = cell.metrics
        assert (loss, fidelity, options["space"]) == ("loss", "fidelity", "inception_v3")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": ["cost", "fidelity"]}, "metrics: fidelity scores none of the models; it needs: "),
        (
            {"models/tiny/metrics": ["perplexity"], "metrics": ["cost"]},
            "metrics: cost scores none of the models; each has metrics of its own; take it out here",
        ),
        ({"models/tiny/metrics": ["fidelity"]}, "models.tiny.metrics: fidelity cannot score causal_lm; it needs: "),
        ({**TWO_MODALITIES, "metrics": ["perplexity"]}, "models.images: no metric of the suite scores it; add one"),
    ],
)
def test_metrics_that_score_nothing(
    changes: Changes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_run(capsys, write(tmp_path, changes)).startswith(said)


def test_the_first_metric_that_states_a_score_ranks_the_approaches(tmp_path: Path) -> None:
    changes = {**TWO_MODALITIES, "metrics": ["cost", "fidelity", "perplexity"]}
    assert load(tmp_path, changes).primary() == {"causal_lm": "bits_per_byte", "diffusion": "kid[digit_classifier]"}


# Datasets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"datasets": ["handwritten_digits"]}, "models.tiny: no dataset of the suite is text; add one to datasets"),
        (
            {"datasets": ["python_reference", "glyphs"], "models/tiny/datasets": ["glyphs"]},
            "models.tiny.datasets: glyphs is image, causal_lm makes text; take it out",
        ),
        (
            {"models/tiny/recipe/source": "glyphs"},
            "models.tiny.recipe.source: glyphs is image, causal_lm learns text; name another",
        ),
    ],
)
def test_modalities_that_do_not_fit(
    changes: Changes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_run(capsys, write(tmp_path, changes)).startswith(said)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"data_sizes": [4, 10**9]}, "data_sizes"),
        ({"models/tiny/data_sizes": [10**9]}, "models.tiny.data_sizes"),
        (
            {"datasets": [{"name": "python_reference", "data_sizes": [10**9]}]},
            "datasets.python_reference.data_sizes",
        ),
    ],
)
def test_more_examples_than_there_are(
    changes: Changes, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    available = len(dataset.load("python_reference").train)
    said = refused_run(capsys, write(tmp_path, changes))
    problem = f"1000000000 examples asked, python_reference has {available} to train on"
    assert said == f"{key}: {problem}; ask for {available} or fewer"
    assert load(tmp_path, {"data_sizes": [available]}).cells


def test_what_does_not_apply_has_cells_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plugins.find("approaches", "lora")
    monkeypatch.setitem(found.constants, "NEEDS", ("image", "network"))
    (cell,) = cells(tmp_path, approach="lora + augmentation")
    assert cell.reason == "lora needs images; causal_lm has none"
    assert {cell.reason for cell in cells(tmp_path, approach="full_finetuning")} == {""}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("approaches", "lora"), ("datasets", "python_reference"), ("datasets", "python_docstrings")],
)
def test_a_generation_of_one_of_our_plugins_is_in_the_keys_of_its_cells_alone(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a source too, which is what makes the base model."""
    changes: Changes = {
        "models/images": IMAGES,
        "models/tiny/recipe/source": "python_docstrings",
        "datasets": ["python_reference", "handwritten_digits"],
        "metrics": ["cost"],
    }

    def keys() -> dict[tuple[str, str], str]:
        return {(cell.model_name, cell.approach): cell.key for cell in cells(tmp_path, changes)}

    before = keys()
    monkeypatch.setitem(plugins.find(kind, name).constants, "GENERATION", 7)
    changed = {at for at, key in keys().items() if key != before[at]}
    if kind == "approaches":
        assert changed == {at for at in before if "lora" in at[1]}
    else:
        assert changed == {at for at in before if at[0] == "tiny"}
    assert 0 < len(changed) < len(before)


def test_a_suite_without_a_grid_has_one_trial_of_the_budget_s_rate(tmp_path: Path) -> None:
    found = loading.load(write(tmp_path, {"tuning": DROP})).cells
    assert {str(cell.tuning) for cell in found} == {"[{}]"}
