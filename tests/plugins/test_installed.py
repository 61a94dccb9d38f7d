"""Installed distributions: a broken one is named and takes nobody along; names that are taken can be told apart."""

import json
from pathlib import Path

import pytest

from bench import __main__, plugins, report
from bench.errors import PluginError, SuiteError
from bench.plugins import installed as installed_plugins
from bench.results import runs
from tests import tiny
from tests.distributions import distribution
from tests.plans import Changes, cells, write

APPROACH = '"""Another way."""\n\n\ndef {name}(transfer, *, rank: int = 3):\n    """{summary}"""\n'
FAMILY = '"""A family."""\nMODALITY = "text"\n{constant}\n\n\nclass Odd:\n    """Odd one."""\n'


@pytest.mark.parametrize(
    ("entry_points", "metadata", "said"),
    [
        (
            "[bench.approaches]\nodd = nowhere_at_all",
            None,
            "approach odd: module nowhere_at_all cannot",
        ),
        (
            "[bench.approaches]\nodd = no.where:odd",
            None,
            "approach odd: module no.where cannot be read",
        ),
        ("[bench.approaches]\nodd = broken_source", None, "approach odd: module broken_source cannot be read (invalid"),
        (
            "[bench.approaches]\nodd = exits.inner:odd",
            None,
            "approach odd: module exits.inner cannot be read (3); mend",
        ),
        (
            "[bench.approaches]\nodd = other",
            None,
            "approach odd: {site}/other.py defines no function",
        ),
        (
            "[bench.approaches]\nodd = ::",
            None,
            "'::' is no place of odd of its approaches; it should be",
        ),
        ("[bench.approaches]\nodd", None, "'' is no place of odd of its approaches; it should be"),
        (
            "[bench.metrics]\na b = other:other",
            None,
            "'a b' is no name for one of its metrics; mend or",
        ),
        (
            "[bench.families]\nodd = odd_family",
            None,
            "family odd: {site}/odd_family.py states no OFFERS",
        ),
        (
            "[bench.families]\nodd = odd_offers",
            None,
            "family odd: OFFERS is 3; it should be a tuple of texts, such",
        ),
        (
            b"[bench.approaches]\nodd = \xff",
            None,
            "its entry points cannot be read ('utf-8' codec can't",
        ),
        (
            "[bench.approaches]\nodd = nowhere",
            b"\xff\xfe",
            "approach odd: module nowhere cannot be read",
        ),
        ("[bench.approaches]\nodd = nowhere", "", "approach odd: module nowhere cannot be read"),
    ],
)
def test_a_broken_distribution_is_named_and_everything_else_goes_on(
    entry_points: str | bytes,
    metadata: str | bytes | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fresh: None,
) -> None:
    site = tmp_path / "site"
    distribution(site, "odd", entry_points, metadata)
    distribution(site, "sound", "[bench.approaches]\nsound_one = other:other_way")
    (site / "other.py").write_text(APPROACH.format(name="other_way", summary="Sound."))
    (site / "broken_source.py").write_text("def odd(:")
    (site / "odd_family.py").write_text(FAMILY.format(constant=""))
    (site / "odd_offers.py").write_text(FAMILY.format(constant="OFFERS = 3"))
    (site / "exits").mkdir()
    (site / "exits" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(site)
    for arguments in (["list"], ["list", "--matrix"], ["plan", str(write(tmp_path))]):
        assert __main__.main([*arguments, "--json"]) == 0
        spoken = capsys.readouterr()
        assert f"distribution odd: {said.format(site=site)}" in spoken.err
        assert len(spoken.err.splitlines()) == 1
    assert __main__.main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"lora", "sound_one"} <= {entry["name"] for entry in found["approaches"]}
    assert "odd" not in {entry["name"] for kind in plugins.KINDS for entry in found[kind]}
    assert {"causal_lm"} <= {entry["name"] for entry in found["families"]}


@pytest.mark.parametrize("entry_points", ["[bench.approaches]\nodd", "[console_scripts]\nodd", b"[some]\n\xff"])
def test_what_importlib_cannot_read_does_not_end_a_command(entry_points: str | bytes, tmp_path: Path) -> None:
    """In a process of its own: libraries ask for the entry points of everything when they are imported."""
    distribution(tmp_path, "odd", entry_points)
    with tiny.started("-c", "from bench.__main__ import main; main(['list', 'approaches'])", cwd=tmp_path) as process:
        shown, said = process.communicate()
    assert "lora" in shown
    assert len(said.splitlines()) == (entry_points != "[console_scripts]\nodd")
    assert not said or said.startswith("bench: distribution odd: ")


def test_a_name_of_ours_is_ours_and_theirs_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fresh: None
) -> None:
    site = tmp_path / "site"
    distribution(site, "Odd.Ways", "[bench.approaches]\nlora = odd_lora:lora\n[bench.datasets]\nglyphs = odd_glyphs")
    (site / "odd_lora.py").write_text(APPROACH.format(name="lora", summary="Not ours."))
    (site / "odd_glyphs.py").write_text('MODALITY = "text"\n\n\ndef odd_glyphs():\n    """Texts."""\n')
    monkeypatch.syspath_prepend(site)
    assert plugins.find("approaches", "lora").module == "bench.approaches.lora"
    assert plugins.find("approaches", "odd-ways:lora").summary == "Not ours."
    assert [line for line in plugins.faults() if "lora" in line] == [
        "distribution odd-ways: its approach lora can be reached as odd-ways:lora only: a built-in has that name"
    ]
    changes: Changes = {
        "approaches": [
            "lora",
            {"odd-ways:lora": {"rank": 5}},
            {"odd-ways:lora + augmentation": {"odd-ways:lora": {"rank": 7}}},
        ],
        "tuning": {"odd-ways:lora.rank": [2], "lora.rank": [8]},
    }
    lopsided = {"odd-ways:lora.rank": [1, 2]}
    with pytest.raises(SuiteError, match="different numbers of trials"):
        cells(tmp_path, changes | {"tuning": lopsided})
    found = cells(tmp_path, changes)
    by_name = {cell.approach: cell for cell in found if cell.data_size and not cell.control}
    (theirs,) = (cell for name, cell in by_name.items() if name == "odd-ways:lora")
    assert theirs.chain == [("odd-ways:lora", {"rank": 5})]
    assert theirs.tuning == [{"odd-ways:lora.rank": 2}]
    assert list(theirs.code) == ["odd-ways:lora"]
    assert "-odd-ways_lora-n4-s0-" in theirs.id
    assert by_name["odd-ways:lora + augmentation"].chain[0] == ("odd-ways:lora", {"rank": 7})
    assert by_name["lora"].tuning == [{"lora.rank": 8}]
    assert len({cell.key for cell in by_name.values()}) == 3
    with pytest.raises(PluginError, match="no option 'rnk'; did you mean 'rank'"):
        plugins.find("approaches", "odd-ways:lora").check({"rnk": 1})


def test_two_distributions_with_one_name_are_both_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    site = tmp_path / "site"
    for name in ("one", "two"):
        distribution(site, name, f"[bench.approaches]\nway = way_{name}:way\nalone_{name} = way_{name}:way")
        (site / f"way_{name}.py").write_text(APPROACH.format(name="way", summary=f"Of {name}."))
    monkeypatch.syspath_prepend(site)
    with pytest.raises(PluginError, match="approach way is in several distributions; write one:way or two:way"):
        plugins.find("approaches", "way")
    assert [plugins.find("approaches", f"{name}:way").summary for name in ("one", "two")] == ["Of one.", "Of two."]
    assert plugins.find("approaches", "one:alone_one").attribute == "way"
    names = plugins.names("approaches")
    assert {"one:way", "two:way", "alone_one"} <= set(names)
    assert not {"way", "one:alone_one"} & set(names)
    assert sum("another distribution has one of that name" in line for line in plugins.faults()) == 2


def test_a_cell_of_a_plugin_with_a_name_of_ours_runs(installed: Path) -> None:
    about = installed / "site" / "transferbench_example-1.0.dist-info"
    points = (about / "entry_points.txt").read_text()
    (about / "entry_points.txt").write_text(points.replace("last_block =", "lora ="))
    installed_plugins.forget()
    name = "transferbench-example:lora"
    path = tiny.write(installed, approaches=[name, "lora"], tuning={f"{name}.factor": [0.5], "lora.rank": [2]})
    folder = tiny.run(path)
    found = {record["asked"]["approach"]: record for record in runs.records(folder)}
    assert {name: record["happened"]["status"] for name, record in found.items()} == dict.fromkeys(found, "ok")
    assert found[name]["happened"]["chosen"] == {f"{name}.factor": 0.5}
    assert found["lora"]["happened"]["chosen"] == {"lora.rank": 2}
    assert report.build(folder, installed / "reports").page.exists()
