"""The report as files."""

import subprocess
import sys

import pandas as pd
import pytest

from bench import report
from bench.errors import ResultsError
from bench.results import files, runs
from tests.report.runs import make_run


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_and_place(run, page):
    assert page.parts[-3:] == ("quickstart", run.name, "index.html")
    suffixes = [path.suffix for path in contents(page.parent)]
    assert (suffixes.count(".svg"), suffixes.count(".png"), suffixes.count(".csv")) == (6, 6, 4)
    assert page.stat().st_size < 2_000_000


def test_building_again_gives_the_same_bytes(run, page, tmp_path):
    again = report.build(run, tmp_path).page
    assert contents(again.parent) == contents(page.parent)


def test_table_holds_what_the_page_shows(page):
    table = pd.read_csv(page.parent / "table.csv", keep_default_na=False, na_values=[""])
    row = table.query("model == 'tiny_gpt2' and metric == 'bits_per_byte' and mark == 'best' and data_size == 50")
    assert row["approach"].tolist() == ["full_finetuning"]
    assert f"{row['mean'].iloc[0]:.3f}" in page.read_text(encoding="utf-8")


def test_a_run_that_goes_on_has_a_report_already(tmp_path):
    run = make_run(tmp_path / "results", beside=False)
    info = files.read_json(run / "run.json")
    for cell in info["cells"][5:]:
        runs.record_path(run, cell).unlink()
    files.write_json(run / "run.json", info | {"finished": None, "workers": None})
    html = report.build(run, tmp_path / "reports").page.read_text(encoding="utf-8")
    assert f"<b>5</b> of {len(info['cells'])} cells finished" in html
    assert "not finished yet" in html


def test_nothing_to_report(tmp_path):
    with pytest.raises(ResultsError, match=r"no run\.json"):
        report.build(tmp_path, tmp_path)
    files.write_json(tmp_path / "run.json", {"cells": ["a"]})
    with pytest.raises(ResultsError, match="no cell has finished"):
        report.build(tmp_path, tmp_path)


def test_against_a_baseline(run, page, tmp_path):
    made = report.build(run, tmp_path, baseline="lora").page
    assert "<h3>Against lora</h3>" in made.read_text(encoding="utf-8")
    assert "<h3>Against" not in page.read_text(encoding="utf-8")
    assert "behind_baseline_low" in pd.read_csv(made.parent / "table.csv")
    assert "behind_baseline_low" not in pd.read_csv(page.parent / "table.csv")
    with pytest.raises(ResultsError, match=r"'loro' is no approach of this run; it has zero_shot, .*lora"):
        report.build(run, tmp_path, baseline="loro")


def test_torch_is_not_needed(run, tmp_path):
    code = (
        "import sys; from pathlib import Path; from bench import report; from bench.report import terminal\n"
        "report.build(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print([name for name in ('torch', 'transformers', 'diffusers', 'matplotlib.pyplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, run, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
