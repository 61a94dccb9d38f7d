"""``bench publish``: what others get, what stays behind, and what commands make of it."""

import gzip
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from bench import __main__
from bench.comparison import environments, sides, verdicts
from bench.errors import ResultsError
from bench.publication import card, folder
from bench.results import columns, files, items, manifest, packed, runs, tidy
from bench.running import holding
from tests.plans import refused
from tests.publication.runs import HOME, PRIVATE, TOKEN, made, on_a_machine, settle
from tests.results.test_imported import cell
from tests.results.test_imported import made as import_made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settle(made(tmp_path_factory.mktemp("a") / "results"))


@pytest.fixture(scope="module")
def site(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        on_a_machine(monkeypatch)
        about = card.About("A & B {team}", "cc-by-4.0", "https://example.org/table")
        return folder.publish(run, tmp_path_factory.mktemp("b") / "site", about).folder


def texts(path: Path) -> Iterator[str]:
    """All that a file says, whatever it is packed in."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield str(file.schema_arrow) + str(file.metadata.metadata)
        yield file.read().to_pandas().to_csv()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name + archive.read(name).decode(errors="replace")
    yield content.decode(errors="replace")


def test_nothing_names_the_machine_its_user_or_a_secret(run: Path, site: Path) -> None:
    assert any(word in text for word in PRIVATE for text in texts(run / packed.RECORDS))  # so that there is something
    for path in site.rglob("*"):
        for text in texts(path) if path.is_file() else ():
            assert [word for word in (*PRIVATE, str(run), str(Path.cwd())) if word in text] == [], path
    said = [text for path in site.rglob("*") if path.is_file() for text in texts(path)]
    assert not any("loading …" in text or "Traceback" in text for text in said)  # logs are not cleaned, but left out


def test_what_stays_behind_is_counted(run: Path, site: Path) -> None:
    said = runs.read_info(site / "run")[0]["published"]
    cells = len(runs.read_info(run)[0]["cells"])
    assert said["left_out"] == {"log of preparations": 1, "log.txt": cells, "traceback.txt": 2}
    assert said["cleaned"].keys() == {"paths", "hosts", "users", "secrets"}
    assert said["cleaned"]["users"] == cells
    limits = (site / "README.md").read_text().split("## Known limits")[1].split("##")[0]
    assert f"{cells} × log.txt left out" in limits
    assert re.search(r"texts cleaned: \d+ with paths, \d+ with hosts, \d+ with users, 3 with secrets", limits)


def test_of_a_path_the_name_stays(site: Path) -> None:
    found = {record["happened"]["reason"] for record in runs.records(site / "run")}
    assert any(reason.endswith(" at …/x.py on <host>, with <secret>") for reason in found)


def test_the_same_bytes_from_the_same_run(
    run: Path, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed or not."""
    on_a_machine(monkeypatch)
    about = card.About("A & B {team}", "cc-by-4.0", "https://example.org/table")
    folder.publish(run, tmp_path / "again", about)
    assert (tmp_path / "again" / manifest.NAME).read_text() == (site / manifest.NAME).read_text()
    loose = Path(shutil.copytree(run, tmp_path / "loose"))
    packed.unpack(loose)
    folder.publish(loose, tmp_path / "third", about)
    scores = [
        {record["cell"]: found.items(record) for record in found.records}
        for found in (runs.read(site / "run"), runs.read(tmp_path / "third" / "run"))
    ]
    assert {cell: {name: list(one) for name, one in of.items()} for cell, of in scores[0].items()} == {
        cell: {name: list(one) for name, one in of.items()} for cell, of in scores[1].items()
    }
    assert (tmp_path / "third" / "data" / "items.parquet").read_bytes() == (
        site / "data" / "items.parquet"
    ).read_bytes()


def test_the_scores_are_those_of_the_run(run: Path, site: Path) -> None:
    before, there = tidy.read(run), tidy.read(site / "run")
    pd.testing.assert_frame_equal(before.drop(columns="reason"), there.drop(columns="reason"))
    assert (before["reason"] != "").tolist() == (there["reason"] != "").tolist()
    failed = there[there["status"] != "ok"]
    assert set(failed["metric"]) == {""}
    assert {"failed", "not_applicable"} == set(failed["status"])


@pytest.mark.parametrize("worse", [1.0, 1.5])
def test_comparing_with_it_is_comparing_with_the_run(run: Path, site: Path, tmp_path: Path, worse: float) -> None:
    """The same verdicts on the same rows, with errors over test items, and what is other around them."""
    new = Path(shutil.copytree(run, tmp_path / "new"))
    packed.unpack(new)
    random = np.random.default_rng(0)
    for record in runs.records(new):
        if record["asked"]["approach"] == "lora":
            for score in record["happened"]["scores"]:
                score["value"] *= 1 + random.normal(0, 1e-4)
                score["value"] *= worse if score["better"] == "lower" else 1 / worse
            each = runs.Cells(run).items(record["cell"])
            items.write(runs.items_path(new, record["cell"]), {name: worse * one for name, one in each.items()})
            files.write_json(runs.record_path(new, record["cell"]), record)
    info, _ = runs.read_info(new)
    place = info["environment"] | {"packages": info["environment"]["packages"] | {"torch": "99.0"}}
    definition = info["definition"] | {"path": f"{HOME}/elsewhere/texts.csv"}
    files.write_json(new / "run.json", info | {"environment": place, "definition": definition})
    found = []
    for base in (run, site / "run"):
        base_side, new_side = sides.read(base), sides.read(new)
        found.append((verdicts.compare(base_side, new_side), environments.changes(base_side, new_side)))
    (of_run, changes_of_run), (of_site, changes_of_site) = found
    pd.testing.assert_frame_equal(of_run.rows, of_site.rows)
    assert (of_run.drifts, of_run.ended, of_run.worse) == (of_site.drifts, of_site.ended, of_site.worse)
    assert of_run.worse is (worse > 1)
    assert [one.what for one in changes_of_site] == [one.what for one in changes_of_run] == ["packages.torch", "path"]
    assert of_run.rows["half_width"].gt(0).any()


def test_what_only_is_clean_has_not_changed(run: Path, site: Path, tmp_path: Path) -> None:
    first = Path(shutil.copytree(run, tmp_path / "first"))
    info, _ = runs.read_info(first)
    definition = info["definition"] | {"path": f"{HOME}/my own/texts of mine.csv"}
    files.write_json(first / "run.json", info | {"definition": definition})
    there = folder.publish(first, tmp_path / "site", card.About()).folder
    assert environments.changes(sides.read(first), sides.read(there / "run")) == []


def test_what_the_parquet_files_say(run: Path, site: Path) -> None:
    of = {
        "results": columns.RESULTS,
        "curves": columns.OF_CELL | columns.CURVES,
        "items": columns.OF_CELL | columns.ITEMS,
    }
    for name, wanted in of.items():
        schema = pq.read_schema(site / "data" / f"{name}.parquet")
        assert schema.names == list(wanted)
        for field in schema:
            assert field.metadata[b"description"].decode() == wanted[field.name].meaning
            assert field.metadata.get(b"unit", b"").decode() == wanted[field.name].unit
            assert f"| `{field.name}` | " in (site / "README.md").read_text()
    results = pd.read_parquet(site / "data" / "results.parquet")
    pd.testing.assert_frame_equal(results.astype(tidy.COLUMNS), tidy.table(runs.records(site / "run")))
    csv = pd.read_csv(site / "data" / "results.csv", keep_default_na=False, na_values={"value": "", "error": ""})
    pd.testing.assert_frame_equal(csv.astype(tidy.COLUMNS), results.astype(tidy.COLUMNS))
    each = pd.read_parquet(site / "data" / "items.parquet")
    record = next(one for one in runs.records(run) if runs.Cells(run).items(one["cell"]))
    (metric, values), *_ = runs.Cells(run).items(record["cell"]).items()
    mine = each[(each["cell"] == record["cell"]) & (each["metric"] == metric)]
    assert mine["value"].tolist() == values.tolist()
    curves = pd.read_parquet(site / "data" / "curves.parquet")
    (cell,) = curves["cell"].head(1)
    assert len(curves[curves["cell"] == cell]) == 63
    assert curves["validation_loss"].isna().any()


@pytest.mark.parametrize("name", ["results", "curves", "items"])
def test_hugging_faces_datasets_load_it(site: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    loaded = datasets.load_dataset(str(site), name, split="train", cache_dir=str(tmp_path))
    frame = pd.read_parquet(site / "data" / f"{name}.parquet")
    assert (len(loaded), loaded.column_names) == (len(frame), list(frame.columns))
    assert loaded[0]["cell"] == frame["cell"][0]
    if name == "results":  # which is what it loads when nothing is said
        assert len(datasets.load_dataset(str(site), split="train", cache_dir=str(tmp_path))) == len(frame)


def test_the_card(run: Path, site: Path) -> None:
    text = (site / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["license"] == "cc-by-4.0"
    assert [(one["config_name"], one.get("default", False)) for one in said["configs"]] == [
        ("results", True), ("curves", False), ("items", False)
    ]  # fmt: skip
    assert said["size_categories"] == ["1K<n<10K"]
    for part in (
        *("Measured with transferbench by A & B", "Example CPU @ 2.4 GHz", "0123456789abcdef", "5f3a9c0e1b2d4f68"),
        *("torch 2.9.0", "**Seeds**: 0, 1", "**Budget of a trial**", "**Tuning grid**", "bench compare"),
    ):
        assert part in body.replace("\\", "")
    assert "author = {{A \\& B team}}" in body
    assert f"SHA-256 of data/results.parquet: {manifest.check(site).listed['data/results.parquet']}" in body
    records = runs.records(run)
    without = [one for one in records if not one["happened"]["scores"]]
    assert f"{len(without)} of {len(records)} cells have no score" in body
    table = body.split("| cells | ended | reason |")[1].split("##")[0]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", table, re.MULTILINE))) == len(without)


def test_pages_hold_no_script_and_all_links_lead_somewhere(site: Path) -> None:
    for page in (site / "index.html", site / "report" / "index.html"):
        html = page.read_text()
        assert "<script" not in html
        links = [link for link in re.findall(r'(?:href|src)="([^"#]+)"', html) if not link.startswith("data:")]
        assert links
        assert all((page.parent / link).exists() for link in links)
    assert "<oops>" not in (site / "index.html").read_text()
    assert "&lt;oops&gt;" in (site / "index.html").read_text()


def test_samples_and_modes(run: Path, site: Path) -> None:
    published = {path.relative_to(site / "samples").as_posix() for path in (site / "samples").rglob("*.*")}
    names = {name.removeprefix("cells/") for name in packed.Pack(run).names() if "/samples." in name}
    assert published == names
    assert {path.stat().st_mode & 0o777 for path in site.rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (site, *site.rglob("*")) if path.is_dir()} == {0o755}
    assert [path for path in site.parent.iterdir() if path != site] == []


def test_verify_reads_the_list(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = Path(shutil.copytree(site, tmp_path / "site"))
    assert __main__.main(["verify", str(there)]) == 0
    assert f"checked {len(manifest.check(there).listed)} files, " in capsys.readouterr().out
    done = subprocess.run(["sha256sum", "--check", "--quiet", manifest.NAME], cwd=there, capture_output=True)
    assert done.returncode == 0
    (there / "report" / "index.html").write_text("mine")
    (there / "data" / "results.csv").unlink()
    (there / "run" / "records.jsonl.gz").write_bytes(b"")
    (there / "note").touch()
    (there / "link").symlink_to("/")
    assert __main__.main(["verify", str(there), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    faulty = {fault["file"]: fault["what"] for fault in said["faults"]}
    assert faulty["data/results.csv"] == "it is gone"
    assert faulty["report/index.html"].startswith("not what SHA256SUMS says: ")
    assert "run/records.jsonl.gz" in faulty
    assert set(said["strange"]) == {"note", "link"}
    (there / manifest.NAME).write_text("0" * 64 + "  ../../outside\n")
    assert __main__.main(["verify", str(there)]) == 1
    assert "no checksum of a file in the folder" in capsys.readouterr().out


def test_commands_take_it_as_a_run_or_say_why_not(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    for command in (["compare", site, site], ["report", site], ["recommend", site, "--data-size", "100"],
                    ["export", site], ["status", site]):  # fmt: skip
        code = __main__.main([str(word) for word in command])
        assert code == (1 if command[0] == "status" else 0), command  # status: cells that did not end well
    made = tmp_path / "reports" / "quickstart" / "20251121-032300" / "index.html"
    assert made.read_text() == (site / "report" / "index.html").read_text()
    capsys.readouterr()
    assert "a published run, which has no history" in refused(capsys, "history", site)
    assert "whose checksums would be wrong then" in refused(capsys, "unpack", site)
    assert "no earlier run of quickstart" in refused(capsys, "compare", site, "--against", "last-ok")
    assert "a published run already; copy the folder" in refused(capsys, "publish", site, tmp_path / "other")
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*")} == before


def test_it_is_replaced_whole_where_nobody_changed_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "site"
    there.mkdir()  # an empty one is as good as none
    assert __main__.main(["publish", str(run), str(there), "--by", "One"]) == 0
    assert "--license ID" in capsys.readouterr().out
    assert __main__.main(["publish", str(run), str(there), "--by", "Two", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replaced"] is True
    assert "by Two" in (there / "README.md").read_text()
    assert list(tmp_path.iterdir()) == [there]
    for change in (lambda: (there / "notes.txt").touch(), lambda: (there / "README.md").write_text("mine")):
        changed = Path(shutil.copytree(there, tmp_path / "kept"))
        change()
        before = sorted(there.rglob("*"))
        assert "nothing of yours is replaced" in refused(capsys, "publish", run, there)
        assert sorted(there.rglob("*")) == before
        shutil.rmtree(there)
        changed.rename(there)


def test_a_failed_rename_brings_the_earlier_one_back(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = folder.publish(run, tmp_path / "site", card.About("One")).folder
    replace, calls = Path.replace, list[Path]()

    def fail_once(self: Path, target: Path) -> Path:
        calls.append(self)
        if target == there and len(calls) > 1 and not any(path.name == "fails" for path in calls):
            calls.append(Path("fails"))
            raise PermissionError(13, "denied", str(target))
        return replace(self, target)

    monkeypatch.setattr("bench.publication.folder.manifest.write", _write_and(calls.clear))
    monkeypatch.setattr(Path, "replace", fail_once)
    with pytest.raises(ResultsError, match="not writable; name another folder as DIR"):
        folder.publish(run, there, card.About("Two"))
    assert "by One" in (there / "README.md").read_text()
    assert list(tmp_path.iterdir()) == [there]


def _write_and(then):
    write = manifest.write

    def both(path: Path) -> None:
        write(path)
        then()

    return both


def test_what_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    going = Path(shutil.copytree(run, tmp_path / "results" / "quickstart" / "2"))
    info, _ = runs.read_info(going)
    files.write_json(going / "run.json", info | {"finished": None})
    assert "not finished" in refused(capsys, "publish", going, tmp_path / "site")
    damaged = Path(shutil.copytree(run, tmp_path / "damaged"))
    content = (damaged / packed.RECORDS).read_bytes()
    (damaged / packed.RECORDS).write_bytes(content[:300] + b"x" + content[301:])
    assert "see bench verify" in refused(capsys, "publish", damaged, tmp_path / "site")
    assert "lies in the run itself" in refused(capsys, "publish", run, run / "site")
    assert "holds something else than a publication" in refused(capsys, "publish", run, run.parent)
    with holding.alone(run):
        assert "a process works on it" in refused(capsys, "publish", run, tmp_path / "site")
    (tmp_path / "file").touch()
    assert "name an empty or a new folder" in refused(capsys, "publish", run, tmp_path / "file")
    assert "not a name in one line" in refused(capsys, "publish", run, tmp_path / "site", "--by", "a\nb")
    assert "not an identifier" in refused(capsys, "publish", run, tmp_path / "site", "--license", "all mine")
    assert "not an address" in refused(capsys, "publish", run, tmp_path / "site", "--url", "javascript:x")
    assert "holds no run.json" in refused(capsys, "publish", tmp_path / "nothing", tmp_path / "site")
    assert not (tmp_path / "site").exists()
    folder.publish(run, tmp_path / "site", card.About())
    other = Path(shutil.copytree(run, tmp_path / "other"))
    files.write_json(other / "run.json", runs.read_info(run)[0] | {"suite": "another"})
    assert "a publication of quickstart, not of another" in refused(capsys, "publish", other, tmp_path / "site")


def test_a_name_that_would_have_to_be_cleaned_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = {f"{HOME}/models/gpt2": ("causal_lm", "text", "a", "b")}
    run = made(tmp_path / "results", models={"gpt2": models[f"{HOME}/models/gpt2"]})
    for record in runs.records(run):
        record["asked"]["model"] = f"{HOME}/models/gpt2"
        files.write_json(runs.record_path(run, record["cell"]), record)
    line = refused(capsys, "publish", run, tmp_path / "site")
    assert "give it another name in the suite" in line
    assert list(tmp_path.iterdir()) == [tmp_path / "results"]


def test_the_token_was_there(run: Path) -> None:
    assert TOKEN in files.parsed(run / "run.json")["source"]


def test_what_others_measured_is_said_to_be_theirs(tmp_path: Path) -> None:
    imported = import_made(tmp_path, cell(seed=0), cell(seed=1))
    text = (folder.publish(imported, tmp_path / "site", card.About()).folder / "README.md").read_text()
    assert "By others, in their way: these numbers were imported" in text
    assert "the test split is scored once" not in text
    assert "year =" not in text
    assert "license: unknown" in text
