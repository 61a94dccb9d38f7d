"""The page of a comparison: what it says first, what stands beside what, what it leaves out, and what it never does."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.comparison import environments, exhibits, galleries, overlays, sides, verdict_page, verdicts
from bench.comparison.sides import Side
from bench.results import files, packed, runs, tidy
from tests.comparison.nights import Suite, side
from tests.report.runs import make_run
from tests.report.test_page import Reader

EVIL = "<script>alert('x')</script> & <b>"
MODEL = "tiny_gpt2"
WORSE = "full_finetuning"


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of a suite: in the second one approach is worse, and writes and draws otherwise; a cell of another
    broke, one is gone, one is new, and so are a package and the commit."""
    first = make_run(tmp_path_factory.mktemp("a") / "results", sizes=(50,))
    one, two = first.parent / "1", first.parent / "2"
    first.rename(one)
    shutil.copytree(one, two)
    for record in runs.records(two):
        asked, beside = record["asked"], two / "cells" / record["cell"]
        if asked["approach"] == WORSE:
            for score in record["happened"]["scores"]:
                score["value"] *= 1.5 if score["better"] == "lower" else 1 / 1.5
            if asked["modality"] == "text":
                texts = json.loads((beside / "samples.json").read_text())
                (beside / "samples.json").write_text(json.dumps([EVIL + texts[0], texts[1], "another one"]))
            else:
                shutil.copy(cell_of(two, "lora", asked["seed"], "image") / "samples.png", beside / "samples.png")
        if asked["approach"] == "soft_prompts" and asked["seed"] == 1 and record["happened"]["status"] == "ok":
            record["happened"] |= {"status": "diverged", "reason": f"loss is NaN {EVIL}", "scores": [], "trials": []}
        files.write_json(runs.record_path(two, record["cell"]), record)
    gone, added = (runs.records(run)[place]["cell"] for run, place in ((two, -1), (one, -4)))
    describe(one, without=added, began="2026-01-01T18:00:00+00:00")
    describe(two, without=gone, began="2026-01-02T18:00:00+00:00", torch=f"99 {EVIL}")
    return one.parent


def cell_of(run: Path, approach: str, seed: int, modality: str) -> Path:
    """The folder beside a record."""
    for record in runs.records(run):
        asked = record["asked"]
        if (asked["approach"], asked["seed"], asked["modality"]) == (approach, seed, modality):
            return run / "cells" / str(record["cell"])
    raise AssertionError


def describe(run: Path, without: str, began: str, torch: str = "2.9.0") -> None:
    info, _ = runs.read_info(run)
    environment = info["environment"] | {"packages": info["environment"]["packages"] | {"torch": torch}}
    cells = [cell for cell in info["cells"] if cell != without]
    runs.record_path(run, without).unlink()
    info = info | {"run": run.name, "cells": cells, "environment": environment, "started": began, "packed": {}}
    files.write_json(run / "run.json", info)
    tidy.write(run, runs.records(run))


def copied(nights: Path, folder: Path) -> tuple[Path, Path]:
    whole = Path(shutil.copytree(nights, folder / nights.name))
    return whole / "1", whole / "2"


def page_of(base: Side, new: Side) -> str:
    return verdict_page.render(verdicts.compare(base, new), environments.changes(base, new), base, new)


def html_of(one: Path, two: Path) -> str:
    return page_of(sides.read(one), sides.read(two))


def text_of(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return " ".join("".join(reader.text).split())


@pytest.fixture(scope="module")
def html(nights: Path) -> str:
    return html_of(nights / "1", nights / "2")


def exhibit(html: str, place: str, title: str = "") -> str:
    """What is shown of a cell."""
    (found,) = [
        part
        for part in re.findall(r'<section class="exhibit">.*?</section>', html, re.DOTALL)
        if f"<h4>{place} " in part and title in part
    ]
    return str(found)


def test_verdict_and_surroundings_come_first(html: str) -> None:
    shown = text_of(html)
    places = [
        shown.index(words)
        for words in (
            "quickstart: 2 against 1",
            "regression: ",
            "What changed around them",
            "packages.torch2.9.0 → 99",
            "All cells together",
            "Better and worse",
            "Cells that ended otherwise",
            "Samples side by side",
            "Learning curves, one over the other",
            "How to read this page",
        )
    ]
    assert places == sorted(places)
    assert "began 2026-01-02 18:00 +00:00" in shown


def test_every_row_can_be_reached_with_its_numbers(html: str, nights: Path) -> None:
    findings = verdicts.compare(sides.read(nights / "1"), sides.read(nights / "2"))
    assert html.count("<tr class=") == len(findings.rows)
    shown = text_of(html)
    bits = findings.rows[(findings.rows["approach"] == WORSE) & (findings.rows["metric"] == "bits_per_byte")].iloc[0]
    row = f"✗{WORSE}, 50 examplesbits_per_byte{bits['base']:.4g}{bits['new']:.4g}+50 % ±"
    assert row in shown
    assert "(3 pairs)412" in shown  # the test items that a score rests on
    for name, count in findings.counts().items():
        assert name in ("worse", "better") or not count or f"{name.capitalize()} {count} row" in shown
    assert "Tolerated is, as a share of the value before: quality 1 %, " in shown


def test_a_thin_drift_is_told_though_no_cell_shows_it() -> None:
    drawn = Suite(np.random.default_rng(4), approaches=12)
    shown = text_of(page_of(side(drawn.night()), side(drawn.night({("", "perplexity"): 1.008}), "two")))
    assert "regression: 1 metric worse as a whole" in shown
    assert "✗ perplexity: worse as a whole, by " in shown.split("No change as a whole 2 metrics")[0]
    assert "No cell by itself." in shown


def test_a_run_that_has_not_ended_is_said_to(nights: Path, tmp_path: Path) -> None:
    one, two = copied(nights, tmp_path)
    runs.record_path(one, cell_of(one, "lora", 2, "text").name).unlink()
    files.write_json(one / "run.json", runs.read_info(one)[0] | {"finished": None})
    shown = html_of(one, one)
    assert '"verdict-line is-unsure"' in shown
    assert "1 cell not finished" in text_of(shown)
    assert '"verdict-line is-worse"' in html_of(one, two)


def test_what_ended_otherwise_and_what_only_one_side_has(html: str, nights: Path) -> None:
    shown = text_of(html)
    assert "diverged, and had ended well: loss is NaN <script>" in shown
    cells = [set(runs.read_info(nights / name)[0]["cells"]) for name in "12"]
    (gone,), (added,) = cells[0] - cells[1], cells[1] - cells[0]
    assert f"Cells that are no longer there 1{gone}" in shown
    assert f"Cells that are new 1{added}" in shown


def test_it_needs_nothing_beside_it_and_runs_nothing(html: str) -> None:
    reader = Reader()
    reader.feed(html)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.elements}
    for _, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    shown = "".join(reader.text)
    assert shown.count(EVIL) >= 3  # a package, a reason, a sample
    assert not re.search("[\x00-\x08\x0e-\x1f]", html)


def test_samples_stand_beside_each_other_those_that_changed_first(html: str) -> None:
    texts = exhibit(html, f"{WORSE}, 50 examples", MODEL)
    assert texts.index("✗ bits_per_byte +50 %") < texts.index("<b>before</b><b>now</b>")
    before, now, second, same, third, other = re.findall(r"<div>(.*?)</div>", texts, re.DOTALL)
    assert ("script" in before, "&lt;script&gt;alert" in now) == (False, True)
    assert (f"({WORSE}, 1)" in second, "the same" in same) == (True, True)
    assert ("another one" in third, "another one" in other) == (False, True)
    pictures = re.findall(r'src="(data:image/png[^"]*)"', exhibit(html, f"{WORSE}, 50 examples", "tiny_unet"))
    assert len(set(pictures)) == 2
    kept = exhibit(html, "lora, 50 examples", "Samples of lora, 50 examples before")
    assert (kept.count("<img"), kept.count("the same")) == (1, 1)
    assert html.index(texts) < html.index("in which nothing is better or worse") < html.index(kept)


def test_of_a_cell_that_broke_its_own_seed_is_shown(html: str) -> None:
    broken = text_of(exhibit(html, "soft_prompts, 50 examples"))
    assert f"{MODEL} → python_reference, seed 1 ✗ diverged, and had ended well" in broken
    assert "— diverged" in broken
    assert "(soft_prompts, 0)" in broken


def test_of_pruned_runs_a_seed_that_both_kept_is_shown(
    nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = copied(nights, tmp_path)
    monkeypatch.setattr(overlays, "draw", lambda *_: ([], 0))
    (cell_of(two, WORSE, 0, "text") / "samples.json").unlink()
    assert "seed 1</span>" in exhibit(html_of(one, two), f"{WORSE}, 50 examples", MODEL)
    for seed in (0, 1, 2):
        (cell_of(one, WORSE, seed, "text") / "samples.json").unlink()
    alone = text_of(exhibit(html_of(one, two), f"{WORSE}, 50 examples", MODEL))
    assert "— no samples" in alone
    assert "another one" in alone


def test_packed_and_unpacked_runs_make_the_same_page(nights: Path, tmp_path: Path, html: str) -> None:
    one, two = copied(nights, tmp_path)
    packed.pack(two)
    assert not (two / "cells").exists() or not list((two / "cells").glob("*.json"))
    assert html_of(one, two).replace(str(one.parent), "") == html.replace(str(nights), "")


def test_tables_and_imports_have_no_samples_and_that_is_said(nights: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    tidy.read(nights / "1").to_csv(table, index=False)
    shown = text_of(html_of(table, nights / "2"))
    assert "table.csv is a table, which has no samples." in shown
    assert "— a table has no samples" in shown  # beside what the other side has
    assert "Where table.csv was measured is not recorded." in shown
    assert "one over the other" not in shown
    both = text_of(html_of(table, table))
    assert "table.csv against table.csv no regression" in both
    assert "seed" not in both.split("Samples side by side")[1].split("How to read")[0]
    one, two = copied(nights, tmp_path)
    for run in (one, two):
        files.write_json(run / "run.json", runs.read_info(run)[0] | {"imported": {"source": "csv"}})
        shutil.rmtree(run / "cells")
        for record in runs.records(nights / run.name):
            files.write_json(runs.record_path(run, record["cell"]), record)
    assert "quickstart / 1 is an import, which has no samples." in text_of(html_of(one, two))


def test_what_was_asked_for_stands_once_unless_it_changed(
    nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlays, "draw", lambda *_: ([], 0))
    one, two = copied(nights, tmp_path)
    for run, last in ((one, "three"), (two, "four")):
        for seed in (0, 1, 2):
            asked = ["one", "two", "three"] if seed else ["one", "two", last]
            (cell_of(run, WORSE, seed, "text") / "conditions.json").write_text(json.dumps(asked))
    changed = text_of(exhibit(html_of(one, two), f"{WORSE}, 50 examples", MODEL))
    assert "asked for before one asked for now one" in changed
    (cell_of(two, WORSE, 0, "text") / "conditions.json").write_text(json.dumps(["one", "two", "three"]))
    shown = text_of(exhibit(html_of(one, two), f"{WORSE}, 50 examples", MODEL))
    assert re.findall(r"asked for (\w+)", shown) == ["one", "two", "three"]


def test_damaged_samples_are_named_and_all_else_is_shown(nights: Path, tmp_path: Path) -> None:
    one, two = copied(nights, tmp_path)
    (cell_of(two, WORSE, 0, "text") / "samples.json").write_text("{")
    new = sides.read(two)
    html = page_of(sides.read(one), new)
    assert "— damaged: samples.json" in text_of(exhibit(html, f"{WORSE}, 50 examples", MODEL))
    assert "What cannot be read" in text_of(html)
    assert new.found
    assert [file for file in new.found.damaged if file.endswith("samples.json")]


def test_what_is_too_much_for_a_page_is_counted(nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (verdict_page, "_ROWS", 5),
        (verdict_page, "_FACTS", 1),
        (galleries, "_CHANGED", 1),
        (galleries, "_OTHERS", 3),
        (overlays, "_FIGURES", 1),
    ):
        monkeypatch.setattr(module, name, value)
    html = html_of(nights / "1", nights / "2")
    findings = verdicts.compare(sides.read(nights / "1"), sides.read(nights / "2"))
    counts, shown = findings.counts(), text_of(html)
    assert html.count("<tr class=") <= 15
    apart = counts["worse"] + counts["better"]
    for count in (apart, counts["no change"]):
        assert f"and {count - 5} more, see the JSON of this comparison" in shown.replace("\N{THIN SPACE}", "")
    assert html.count('class="exhibit"') == 4
    assert re.search(r"The samples of \d+ more cells have no room on this page", shown)
    assert "Of 1 more pair of a model and a target" in shown
    assert re.search(r"All rows, cells and changes are in bench compare \S+/1 \S+/2 --json", shown)
    monkeypatch.setattr(galleries, "_BYTES", 1)
    assert html_of(nights / "1", nights / "2").count('class="exhibit"') == 1


def test_curves_of_what_changed_lie_over_each_other(nights: Path) -> None:
    base, new = sides.read(nights / "1"), sides.read(nights / "2")
    place = (MODEL, "python_reference", WORSE, "clean", 50)
    figures, left_out = overlays.draw(base, new, [place])
    assert ([one.title for one in figures], left_out) == (
        [f"{MODEL} → python_reference", "tiny_unet → handwritten_digits"],
        0,
    )
    changed, other = (one.svg.decode() for one in figures)
    for words in (WORSE, "before", "now", "50 examples"):
        assert words in changed
    assert "lora" not in changed
    assert "from_scratch" in other  # nothing changed there: the first of all
    assert figures[1].left_out > 0
    assert overlays.draw(base, Side(Path("a.csv"), "a", new.frame), [place]) == ([], 0)


def test_rows_of_unequal_length_say_what_is_missing() -> None:
    text = [exhibits.Item("text", word) for word in "abc"]
    (first, second, third) = exhibits._beside(text, text[:1], [None, None])
    assert (first.new.kind, second.new.kind, third.new) == ("same", "nothing", exhibits.Item("nothing", "no sample"))
    (alone, *_) = exhibits._beside([exhibits.Item("nothing", "n/a")], [exhibits.Item("nothing", "n/a")], [None, None])
    assert alone.new == alone.base
