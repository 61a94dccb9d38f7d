"""Plugins are found by name, read without being run, and may come in a distribution of their own."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import plugins
from bench.errors import PluginError
from bench.results import runs, tidy
from bench.suite import loading
from tests import tiny
from tests.distributions import distribution
from tests.plans import Changes, cells, refused_run, write

OURS = [(kind, name) for kind in plugins.KINDS for name in plugins.names(kind)]


# Ours ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_every_plugin_says_what_it_is_in_one_line(kind: str, name: str) -> None:
    plugin = plugins.find(kind, name)
    assert plugin.summary.endswith(".")
    assert len(plugin.summary) < 120
    assert plugin.path.stem == name
    assert set(plugin.defaults) <= set(plugin.annotations)
    required = set(plugin.annotations) - set(plugin.defaults)
    elsewhere = {"content", "fetch"} & plugin.functions or "network" not in plugin.constants.get("OFFERS", ["network"])
    assert not required or elsewhere, "only a user's own data and a model that is not here must be named"
    if not required:
        assert plugin.check({}).keys() == plugin.annotations.keys()


@pytest.mark.parametrize("name", plugins.names("approaches"))
def test_every_approach_names_its_paper(name: str) -> None:
    """As authors, year, title."""
    assert re.match(r"\w.+ \d{4}, \w.{15}", plugins.find("approaches", name).paper)


@pytest.mark.parametrize(("kind", "name"), [pair for pair in OURS if pair[0] in ("families", "datasets", "features")])
def test_what_has_a_modality_states_it(kind: str, name: str) -> None:
    plugin = plugins.find(kind, name)
    known = {"text", "image", "audio", "molecule"}
    if kind != "features":
        known |= {"text_pair", "captioned_image", "image_pair"}
    modality = plugin.stated("MODALITY")
    if "{" in modality:  # as its options say
        assert kind == "datasets"
        assert modality.format(**plugin.defaults | {"path": "", "id": ""}) in known
    else:
        assert modality in known


def test_what_is_promised_is_there() -> None:
    approaches = "zero_shot from_scratch full_finetuning feature_extraction gradual_unfreezing lora distillation"
    assert set(plugins.names("approaches")) >= {*approaches.split(), "augmentation", "real_data"}
    images = {"autoencoder", "vae", "gan", "cyclegan", "diffusion", "text_to_image"}
    others = {"causal_lm", "masked_lm", "seq2seq", "hosted_lm", "audio", "molecules"}
    assert set(plugins.names("families")) >= images | others
    datasets = {"python_docstrings", "python_reference", "python_code", "glyphs", "handwritten_digits"}
    assert set(plugins.names("datasets")) >= datasets
    assert set(plugins.names("metrics")) >= {"perplexity", "fidelity", "diversity", "inference", "cost"}


def test_reading_agrees_with_importing() -> None:
    """Of plugins that import no torch: the others are compared by the tests of their own folders."""
    plugin = plugins.find("datasets", "handwritten_digits")
    loaded = plugin.load()
    assert (loaded.__name__, loaded.__module__) == (plugin.attribute, plugin.module)
    assert loaded.__kwdefaults__ == plugin.defaults


# Read, not run ------------------------------------------------------------------------------------------------------


def read(monkeypatch: pytest.MonkeyPatch, folder: Path, source: str, value: str = "foreign:foreign") -> plugins.Plugin:
    """The approach ``foreign`` of an installed module of that source."""
    (folder / "foreign.py").write_text(source)
    distribution(folder, "foreigners", f"[bench.approaches]\nforeign = {value}")
    monkeypatch.syspath_prepend(folder)
    return plugins.find("approaches", "foreign")


@pytest.mark.usefixtures("fresh")
def test_a_plugin_is_read_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = '''
raise RuntimeError("was run")
NEEDS = ("text",)
TRAINS: bool = False
COMPUTED = sum([1])
lower = 3


def foreign(transfer, *, required, size: int = -3, kind: Literal["a", "b"] | None = None, other: Mine = (1, 2)):
    """One line.

    More of it.

    Paper: Someone 2020,
        in two lines

    Args:
        size: of it.
    """
'''
    plugin = read(monkeypatch, tmp_path, source)
    assert plugin.summary == "One line."
    assert plugin.paper == "Someone 2020, in two lines"
    assert plugin.annotations == {"required": "Any", "size": "int", "kind": "Literal['a', 'b'] | None", "other": "Mine"}
    assert plugin.defaults == {"size": -3, "kind": None, "other": (1, 2)}
    assert plugin.constants == {"NEEDS": ("text",), "TRAINS": False}
    assert plugin.check({"required": [1], "other": "its own business"})["size"] == -3
    with pytest.raises(PluginError, match="option 'required' is missing; give it a value of type Any"):
        plugin.check({})
    with pytest.raises(PluginError, match="option 'kind': \"c\" will not do; it should be 'a' or 'b'"):
        plugin.check({"required": 1, "kind": "c"})
    with pytest.raises(PluginError, match=r"approach foreign: .*foreign\.py states no MODALITY; add it"):
        plugin.stated("MODALITY")
    with pytest.raises(RuntimeError, match="was run"):
        plugin.load()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("def foreign(:", "foreign:foreign", "module foreign cannot be read (invalid syntax"),
        ("", "no_such_module:foreign", "module no_such_module cannot be read (there is no file of this name)"),
        ("", "no_such_package.module:foreign", "module no_such_package.module cannot be read (No module named"),
        ("", "sys:foreign", "module sys cannot be read (there is no file of this name)"),
        ("from other import foreign", "foreign:foreign", "defines no function or class foreign; name the module that"),
        (
            "def foreign(*, x=1 + one): ...",
            "foreign:foreign",
            "the default of option 'x' is no literal: 1 + one; write",
        ),
        (
            "class Foreign:\n def __init__(self, *, x=y): ...",
            "foreign:Foreign",
            "the default of option 'x' is no literal",
        ),
    ],
)
def test_what_is_wrong_with_a_foreign_plugin_is_one_line(
    source: str,
    value: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(PluginError) as caught:
        read(monkeypatch, tmp_path, source, value)
    assert str(caught.value).startswith("approach foreign: ")
    assert said in str(caught.value)
    assert said in refused_run(capsys, write(tmp_path, {"approaches": ["foreign"]}))


@pytest.mark.usefixtures("fresh")
def test_a_package_that_fails_when_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text("1 / 0")
    (tmp_path / "broken" / "module.py").write_text("def foreign(): ...")
    with pytest.raises(PluginError, match=r"broken\.module cannot be read \(division by zero\); mend its package"):
        read(monkeypatch, tmp_path, "", "broken.module:foreign")


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("Count", [1, 7], [0, -1, 1.5, True, "1", None]),
        ("Positive", [1, 0.5], [0, -1, True, "1", float("nan"), float("inf")]),
        ("NonNegative", [0, 2.5], [-1, "0", float("inf")]),
        ("Fraction", [0, 1, 0.5], [1.1, -0.1, float("nan"), "1"]),
        ("bool", [True, False], [0, 1, "yes"]),
        ("str", ["", "x"], [1, None, True]),
        ("int | None", [3, None], ["3", 0.5]),
        ("list[int]", [[], [1, 2]], [1, ["1"]]),
    ],
)
def test_options_are_of_their_type_and_nothing_is_converted(annotation: str, good: list[Any], bad: list[Any]) -> None:
    plugin = plugins.Plugin("approaches", "x", "x", "x", Path(), annotations={"option": annotation})
    for value in good:
        assert plugin.check({"option": value}) == {"option": value}
    for value in bad:
        with pytest.raises(PluginError, match=r"approach x: option 'option': .* will not do; it should"):
            plugin.check({"option": value})


# A third party's ----------------------------------------------------------------------------------------------------


def test_a_third_party_s_plugins_are_listed_and_read(installed: Path) -> None:
    approach, data = plugins.find("approaches", "last_block"), plugins.find("datasets", "weather")
    assert "last_block" in plugins.names("approaches")
    assert approach.summary == "The features stay as they are; the part that turns them into data trains on."
    assert approach.paper.startswith("Yosinski et al. 2014")
    assert data.constants == {"MODALITY": "text"}
    assert "transferbench_example.last_block" not in sys.modules


def test_ours_are_still_first(installed: Path) -> None:
    (installed / "site" / "transferbench_example-1.0.dist-info" / "entry_points.txt").write_text(
        "[bench.approaches]\nlora = transferbench_example.last_block:last_block"
    )
    assert plugins.find("approaches", "lora").module == "bench.approaches.lora"
    assert plugins.names("approaches").count("lora") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"approaches": [{"last_block": {"factr": 2}}]},
            "approaches.last_block.options: approach last_block: no option 'factr'; did you mean 'factor'?",
        ),
        (
            {"approaches": [{"last_block": {"factor": 0}}]},
            "approaches.last_block.options: approach last_block: option 'factor': 0 will not do; it should be greater",
        ),
        (
            {"approaches": ["last_blcok"]},
            "approaches.last_blcok: unknown approach 'last_blcok'; did you mean 'last_block'?",
        ),
        (
            {"datasets": [{"weather": {"count": "many"}}]},
            "datasets.weather: dataset weather: option 'count': \"many\" will not do; it should be a whole number",
        ),
    ],
)
def test_their_options_are_checked(
    changes: Changes, said: str, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused_run(capsys, write(installed, changes)).startswith(said)


def test_they_are_planned_beside_ours_and_with_them(installed: Path) -> None:
    changes: Changes = {"approaches": ["last_block", "last_block + augmentation"], "datasets": ["weather"]}
    (cell,) = cells(installed, changes, approach="last_block + augmentation")
    assert cell.target.options == {"count": 60}
    assert cell.chain[0] == ("last_block", {"factor": 1.0})
    assert "transferbench_example.weather" not in sys.modules


def test_a_cell_of_theirs_runs(installed: Path) -> None:
    changes: Changes = {"approaches": [{"last_block": {"factor": 0.5}}], "datasets": [{"weather": {"count": 40}}]}
    path = tiny.write(installed, **changes)
    assert {cell.approach for cell in loading.load(path).cells} == {
        "zero_shot",
        "from_scratch",
        "real_data",
        "training_data",
        "last_block",
    }
    folder = tiny.run(path)
    (record,) = [r for r in runs.records(folder) if r["asked"]["approach"] == "last_block"]
    assert record["happened"]["status"] == "ok"
    assert (record["asked"]["target"], record["asked"]["options"]) == ("weather", {"last_block": {"factor": 0.5}})
    scores = {score["metric"]: score["value"] for score in record["happened"]["scores"]}
    assert 0 < scores["trainable_parameters"] < scores["total_parameters"]
    assert set(tidy.read(folder)["status"]) == {"ok"}
    assert json.loads((folder / "run.json").read_text())["environment"]["datasets"].keys() >= {"weather"}
