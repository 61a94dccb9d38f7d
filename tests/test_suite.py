"""A suite file: what is refused and in which words, and under which name a suite is found.

Each case is two lines: what is changed in a suite that is right (path in the file, YAML value), and what is said.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bench import suite
from bench.errors import SuiteError
from tests import plans
from tests.plans import DROP, Changes, load, refused, refused_run, write

UNKNOWN = """
approaches/0: full_finetunning
    approaches.full_finetunning: unknown approach 'full_finetunning'; did you mean 'full_finetuning'? known: augment
approaches/0: lora + augmentaton
    approaches.lora + augmentaton: unknown approach 'augmentaton'; did you mean 'augmentation'?
approaches/0: zzz
    approaches.zzz: unknown approach 'zzz'; known: augmentation, distillation,
approaches/0: lora +
    approaches.lora +: unknown approach ''; known: augmentation,
models/tiny/family: casual_lm
    models.tiny.family: unknown family 'casual_lm'; did you mean 'causal_lm'?
datasets/0: python_referense
    datasets: unknown dataset 'python_referense'; did you mean 'python_reference'?
models/tiny/recipe/source: python_docstring
    models.tiny.recipe.source: unknown dataset 'python_docstring'; did you mean 'python_docstrings'?
metrics/0: perplexty
    metrics: unknown metric 'perplexty'; did you mean 'perplexity'?
models/tiny/metrics: [csot]
    models.tiny.metrics: unknown metric 'csot'; did you mean 'cost'?
metrics/0: {fidelity: {space: inception_v2}}
    metrics.fidelity.space: unknown feature space 'inception_v2'; did you mean 'inception_v3'?
approaches/1: {lora: {rnk: 4}}
    approaches.lora.options: approach lora: no option 'rnk'; did you mean 'rank'? it has: rank, alpha, dropout, layers
approaches/2: {lora + augmentation: {lora: {rnk: 4}}}
    approaches.lora + augmentation.options.lora: approach lora: no option 'rnk'; did you mean 'rank'?
approaches/2: {lora + augmentation: {rank: 4}}
    approaches.lora + augmentation.options: 'rank' is not part of 'lora + augmentation'; use: lora, augmentation
approaches/0: {full_finetuning: {rank: 4}}
    approaches.full_finetuning.options: approach full_finetuning: no option 'rank'; it has: none
models/tiny/options: {contxt: 4}
    models.tiny.options: family causal_lm: no option 'contxt'; did you mean 'context'?
datasets/0: {python_reference: {size: 4}}
    datasets.python_reference: dataset python_reference: no option 'size'; it has:
models/tiny/recipe/source: {python_reference: {size: 4}}
    models.tiny.recipe.source: dataset python_reference: no option 'size'; it has:
metrics/1: {cost: {unit: s}}
    metrics.cost: metric cost: no option 'unit'; it has:
sedes: [1]
    sedes: unknown key; did you mean 'seeds'?
models/tiny/famly: causal_lm
    models.tiny.famly: unknown key; did you mean 'family'?
models/tiny/recipe/step: 3
    models.tiny.recipe.step: unknown key; did you mean 'steps'?
models/tiny/recipe/source: {name: python_code, size: 3}
    models.tiny.recipe.source.size: unknown key; use: name, options
approaches/0: {name: x, approach: lora, option: {}}
    approaches.0.option: unknown key; did you mean 'options'?
approaches/0: {lora: , rank: 8}
    approaches.0.lora: unknown key; indent what belongs to it further, or take it out
budget/stepps: 3
    budget.stepps: unknown key; did you mean 'steps'?
models/tiny/budget: {stepps: 3}
    models.tiny.budget.stepps: unknown key; did you mean 'steps'?
evaluation/sample: 3
    evaluation.sample: unknown key; did you mean 'samples'?
tuning: {lerning_rate: [1]}
    tuning.lerning_rate: unknown axis; did you mean 'learning_rate'?
tuning: {lroa.rank: [1]}
    tuning.lroa.rank: unknown approach 'lroa'; did you mean 'lora'?
tuning: {lora.rnk: [1]}
    tuning.lora.rnk: approach lora: no option 'rnk'; did you mean 'rank'?
tuning: {gradual_unfreezing.until: [1]}
    tuning.gradual_unfreezing.until: no approach of the suite has 'gradual_unfreezing' in it; take it out
models/tiny/datasets: [python_code]
    models.tiny.datasets: "python_code" is not among the suite's datasets; add it to datasets
models/tiny/datasets: [python_referense]
    models.tiny.datasets: "python_referense" is not among the suite's datasets; did you mean 'python_reference'?
"""

MISTYPED = """
seeds: 3
    seeds: 3 will not do; it should be a list such as [a, b]
seeds: [true]
    seeds.0: true will not do; it should be a whole number
seeds: [0, 0.5]
    seeds.1: 0.5 will not do; it should be a whole number
seeds: ["3"]
    seeds.0: "3" will not do; it should be a whole number
seeds: [-1]
    seeds: -1 is too small; use 0 or more
data_sizes: [0]
    data_sizes: 0 is too small; use 1 or more
models/tiny/data_sizes: [0]
    models.tiny.data_sizes: 0 is too small; use 1 or more
datasets: python_reference
    datasets: "python_reference" will not do; it should be a list such as [a, b]
approaches: [null]
    approaches.0: null will not do; it should be a name, or a name with options
approaches: [[lora]]
    approaches.0: ["lora"] will not do; it should be a name, or a name with options
metrics: [3]
    metrics.0: 3 will not do; it should be a name, or a name with options
approaches: [{lora: 3}]
    approaches.0.options: 3 will not do; it should be a mapping
approaches: [{lora: 0}]
    approaches.0.options: 0 will not do; it should be a mapping
approaches: [{lora: [rank]}]
    approaches.0.options: ["rank"] will not do; it should be a mapping
approaches/2: {lora + augmentation: {lora: [4]}}
    approaches.lora + augmentation.options.lora: [4] will not do; it should be a mapping
approaches/1: {lora: {rank: eight}}
    approaches.lora.options: approach lora: option 'rank': "eight" will not do; it should be a whole number
approaches/1: {lora: {rank: true}}
    approaches.lora.options: approach lora: option 'rank': true will not do; it should be a whole number
approaches/1: {lora: {rank: 0}}
    approaches.lora.options: approach lora: option 'rank': 0 will not do; it should be greater than or equal to 1
approaches/1: {lora: {layers: some}}
    approaches.lora.options: approach lora: option 'layers': "some" will not do; it should be 'all' or 'attention'
models/tiny: null
    models.tiny: null will not do; it should be a mapping
models: []
    models: [] will not do; it should be a mapping
models/tiny/family: [causal_lm]
    models.tiny.family: ["causal_lm"] will not do; it should be text
models/tiny/recipe/steps: 0
    models.tiny.recipe.steps: 0 will not do; it should be greater than or equal to 1
models/tiny/trust_remote_code: 1
    models.tiny.trust_remote_code: 1 will not do; it should be true or false
budget: 3
    budget: 3 will not do; it should be a mapping
budget/steps: many
    budget.steps: "many" will not do; it should be a whole number
models/tiny/budget: {batch_size: 0}
    models.tiny.budget.batch_size: 0 will not do; it should be greater than or equal to 1
approaches/0: {name: x, approach: lora, budget: {clip: -1}}
    approaches.x.budget.clip: -1 will not do; it should be greater than 0
budget/precision: fp8
    budget.precision: "fp8" will not do; it should be 'auto', 'fp32', 'bf16' or 'fp16'
evaluation/samples: 1
    evaluation.samples: 1 will not do; it should be greater than or equal to 2
tuning: {learning_rate: 3}
    tuning.learning_rate: 3 will not do; it should be a list such as [a, b]
tuning: {learning_rate: [high]}
    tuning.learning_rate: "high" will not do; it should be a number
tuning: {learning_rate: [-0.001]}
    tuning.learning_rate: -0.001 will not do; it should be greater than 0
tuning: {lora.rank: [0]}
    tuning.lora.rank: approach lora: option 'rank': 0 will not do; it should be greater than or equal to 1
description: [a, b]
    description: ["a", "b"] will not do; it should be text
"""

MISSING_OR_EMPTY = """
budget: DROP
    budget.steps: missing; add it
models/tiny/family: DROP
    models.tiny.family: missing; add it
models/tiny/recipe/architecture: DROP
    models.tiny.recipe.architecture: missing; add it
models/tiny/recipe: DROP
    models.tiny: needs either a checkpoint or a recipe; write one of the two
models/tiny/checkpoint: gpt2
    models.tiny: needs either a checkpoint or a recipe; write one of the two
models/tiny/revision: main
    models.tiny.revision: goes with a checkpoint, and this is a recipe; take it out
models/tiny/fingerprint: abc
    models.tiny.fingerprint: is found out, not given; take it out
models: {}
    models: is empty; name at least one
tuning: {learning_rate: []}
    tuning.learning_rate: is empty; name at least one value
"""

LISTS = {
    "datasets": "python_reference",
    "approaches": "lora",
    "metrics": "cost",
    "seeds": 3,
    "data_sizes": 4,
    "models/tiny/datasets": "python_reference",
    "models/tiny/metrics": "cost",
    "models/tiny/data_sizes": 4,
}
"""Every list of names or numbers, and something that may stand in it."""

NO_NAMES = ["../x", "/etc/x", "", ".x", "a\nb", "a\\b", "x" * 81]

NAMED = """
models: {NAME: {family: causal_lm, checkpoint: gpt2}}
    models:
models/tiny/family: NAME
    models.tiny.family:
models/tiny/source: NAME
    models.tiny.source:
models/tiny/recipe/source: NAME
    models.tiny.recipe.source:
models/tiny/datasets: [NAME]
    models.tiny.datasets:
models/tiny/metrics: [NAME]
    models.tiny.metrics:
datasets: [NAME]
    datasets:
approaches: [NAME]
    approaches:
approaches: [{name: NAME, approach: lora}]
    approaches:
approaches: [{name: x, approach: NAME}]
    approaches.x:
metrics: [NAME]
    metrics:
metrics: [{fidelity: {space: NAME}}]
    metrics.fidelity.space:
seeds: [NAME]
    seeds.0:
tuning: {NAME: [1]}
    tuning.
"""


def cases(*tables: str, name: str = "") -> list[tuple[Changes, str]]:
    """(changes, what is said) of every two lines; ``NAME`` stands for ``name``, ``DROP`` takes the key out."""
    lines = [line for table in tables for line in table.strip().splitlines()]
    quoted = yaml.safe_dump(name, default_style='"', width=1000).strip()
    found = []
    for change, said in zip(lines[::2], lines[1::2], strict=True):
        ((path, value),) = yaml.safe_load(change.replace("NAME", quoted)).items()
        found.append(({path: DROP if value == "DROP" else value}, said.strip()))
    return found


@pytest.mark.parametrize(("changes", "said"), cases(UNKNOWN, MISTYPED, MISSING_OR_EMPTY), ids=str)
def test_bad_input_is_one_line_that_says_where_what_and_what_instead(
    changes: Changes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_run(capsys, write(tmp_path, changes)).startswith(said)


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("place", range(len(cases(NAMED))))
def test_a_name_that_could_be_a_path_is_none_wherever_it_stands(
    place: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, key = cases(NAMED, name=name)[place]
    assert refused_run(capsys, write(tmp_path, changes)).startswith(key)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_neither_empty_nor_names_a_thing_twice(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = path.replace("/", "."), LISTS[path]
    assert refused_run(capsys, write(tmp_path, {path: []})) == f"{key}: is empty; name at least one"
    twice = refused_run(capsys, write(tmp_path, {path: [entry, entry]}))
    assert twice == f"{key}: {json.dumps(entry)} stands there twice; keep one, or give one another name"


@pytest.mark.parametrize("key", ["models", "datasets", "approaches", "data_sizes", "seeds", "metrics"])
def test_what_a_suite_must_have(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused_run(capsys, write(tmp_path, {key: DROP}))
    assert said == f"{key}: missing; add it; see suites/quickstart.yaml"


def test_a_tuning_value_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused_run(capsys, write(tmp_path, {"tuning": {"learning_rate": [0.1, 1, 0.1]}}))
    assert said == "tuning.learning_rate: 0.1 stands there twice; keep one"


def test_a_long_value_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused_run(capsys, write(tmp_path, {"seeds": ["x" * 9999]}))) < 200


NASTY = [
    None,
    0,
    -3,
    1.5,
    True,
    "",
    "x",
    "a\nb",
    "\x00",
    "ü☃",
    [],
    [None],
    [[]],
    {},
    {"a": None},
    [{"a": 1, "b": 2}],
    "9" * 999,
]


@pytest.mark.parametrize("value", NASTY, ids=lambda value: repr(value)[:20])
def test_nothing_that_yaml_can_say_ends_in_a_traceback(value: object, tmp_path: Path) -> None:
    """Every value of the suite in turn is replaced: it is refused in one line, or a suite like any other."""
    for path in paths(plans.SUITE):
        with contextlib.suppress(SuiteError):
            assert load(tmp_path, {path: value}).cells


def paths(node: object, before: str = "") -> Iterator[str]:
    """Paths of every value of nested mappings and lists."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield f"{before}{key}"
        yield from paths(value, f"{before}{key}/")


# Where a suite is found ---------------------------------------------------------------------------------------------


def test_a_suite_goes_by_its_file_s_name(tmp_path: Path) -> None:
    assert suite.load(write(tmp_path, name="my suite-2")).name == "my suite-2"


@pytest.mark.parametrize("name", [".hidden", "a;b", "a\nb", "x" * 81, "ü"])
def test_a_file_s_name_must_be_one(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, name=name)
    said = refused(capsys, "run", path, "--results", tmp_path / "results")
    assert said.endswith("is no name for a suite; use letters, digits, '_', '-'")
    assert list(tmp_path.iterdir()) == [path]


def test_a_bare_name_is_one_of_ours_or_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert suite.locate("quickstart") == suite.shipped() / "quickstart.yaml"
    (tmp_path / "quickstart").mkdir()  # such as a folder of results
    assert suite.locate("quickstart") == suite.shipped() / "quickstart.yaml"
    (tmp_path / "suites").mkdir()
    mine = write(tmp_path / "suites", name="quickstart")
    assert suite.locate("quickstart").absolute() == mine


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("quikstart", "quikstart: no suite of this name; did you mean 'quickstart'?"),
        ("zzz", "zzz: no suite of this name; name a YAML file or one of: "),
        ("zzz.yaml", "zzz.yaml: no such file; check the path"),
        ("../zzz", "../zzz: no such file; check the path"),
        ("folder", "folder: is a folder; name a YAML file in it"),
        ("folder/", "folder: is a folder; name a YAML file in it"),
        ("", ".: is a folder; name a YAML file in it"),
        ("x" * 5000, "x" * 5000 + ": cannot be read (File name too long)"),
    ],
    ids=lambda text: text[:20],
)
def test_a_suite_that_is_not_there(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert refused(capsys, "plan", name).startswith(f"bench: {said}")
    assert refused(capsys, "run", name).startswith(f"bench: {said}")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


# What we ship -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", suite.available(), ids=lambda path: path.stem)
def test_every_shipped_suite_loads_and_says_what_it_is_for(path: Path) -> None:
    loaded = suite.load(path)
    assert loaded.cells
    assert loaded.file.description
    assert set(loaded.primary()) == {cell.modality for cell in loaded.cells}
    assert suite.SuiteFile.model_validate(suite.definition(loaded)) == loaded.file


def test_the_promised_suites_are_shipped() -> None:
    assert {path.stem for path in suite.available()} >= {"quickstart", "text_small", "images_small", "gpu_embedded"}
