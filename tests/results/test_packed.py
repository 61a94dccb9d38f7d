"""A finished run packed, and unpacked again: whatever happens meanwhile nothing is lost, and damage is named."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench import __main__, report
from bench.errors import BenchError
from bench.results import files, packed, packed_records, runs, tidy
from bench.results.packed import BESIDE, ITEMS, RECORDS
from bench.running import runner
from bench.running.ledger import Ledger
from bench.suite import loading
from tests import mutations, tiny
from tests.report.runs import make_run

LOG = b"a line\nnot UTF-8: \xff\n"


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A run of many cells with curves, texts and pictures, and logs."""
    run = make_run(tmp_path / "results")
    (run / "logs").mkdir()
    (run / "logs" / "model_tiny.txt").write_bytes(LOG)
    return run


def contents(run: Path) -> dict[str, bytes]:
    return {name: content for name, (_, content) in tiny.states(run).items()}


def test_it_is_all_there_again_byte_for_byte(loose: Path) -> None:
    before = contents(loose)
    packed.pack(loose)
    assert set(contents(loose)) == {"run.json", "results.parquet", RECORDS, BESIDE}
    packed.unpack(loose)
    assert contents(loose) == before


def test_the_same_files_give_the_same_bytes(loose: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(loose, other)
    for path in other.rglob("*.json"):
        os.utime(path, (0, 0))
    packed.pack(loose)
    packed.pack(other)
    assert contents(loose) == contents(other)


def test_it_is_much_smaller(loose: Path) -> None:
    before = sum(len(content) for name, content in contents(loose).items() if name.endswith(".json"))
    packed.pack(loose)
    assert (loose / RECORDS).stat().st_size < before / 10


def test_both_forms_are_read_alike(loose: Path) -> None:
    before, cells = runs.read(loose), runs.Cells(loose)
    beside = {cell: {name: cells.content(cell, name) for name in cells.beside(cell)} for cell in cells.names()}
    packed.pack(loose)
    after, cells = runs.read(loose), runs.Cells(loose)
    assert (after.records, after.info, after.damaged) == (before.records, before.info, {})
    assert {cell: {name: cells.content(cell, name) for name in cells.beside(cell)} for cell in cells.names()} == beside
    assert any(beside.values())


def test_a_report_is_the_same_of_both(loose: Path, tmp_path: Path) -> None:
    assert __main__.main(["report", str(loose), "--reports", str(tmp_path / "one")]) == 0
    packed.pack(loose)
    assert __main__.main(["report", str(loose), "--reports", str(tmp_path / "two")]) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_lies_in_the_folder_is_newer(loose: Path) -> None:
    packed.pack(loose)
    cell = runs.read(loose).records[0]
    newer = cell | {"happened": cell["happened"] | {"reason": "another"}}
    files.write_json(runs.record_path(loose, cell["cell"]), newer)
    assert runs.read(loose).records[0]["happened"]["reason"] == "another"
    packed.pack(loose)
    assert not (loose / "cells").exists()
    assert runs.read(loose).records[0]["happened"]["reason"] == "another"
    assert len(runs.read(loose).records) == len(runs.read(loose).info["cells"])


def test_what_no_run_writes_stays_where_it_is(loose: Path) -> None:
    cell = runs.read(loose).info["cells"][0]
    kept = {f"cells/{cell}/{name}": b"mine" for name in ("my notes.txt", "checkpoint.safetensors")}
    kept["cells/x.json"] = b"\xff"
    for name, content in kept.items():
        (loose / name).write_bytes(content)
    packed.pack(loose)
    assert {name: contents(loose)[name] for name in kept} == kept


KILLED = """
import os, signal, sys
from pathlib import Path
from bench.results import packed
run, calls, at = Path(sys.argv[1]), 0, int(sys.argv[2])

def count(event, arguments):
    global calls
    if event in ("open", "os.rename", "os.remove", "os.rmdir") and str(run) in str(arguments[0]):
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
getattr(packed, sys.argv[3])(run)
print(calls)
"""


@pytest.mark.parametrize("function", ["pack", "unpack"])
def test_whenever_it_is_killed_every_file_is_in_one_of_the_two_places(function: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", sizes=(50,), seeds=(0,))
    before, records = tiny.cells(run), runs.read(run).records
    if function == "unpack":
        packed.pack(run)
    whole = tmp_path / "whole"

    def tried(at: int) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(whole, ignore_errors=True)
        shutil.copytree(run, whole)
        command = [sys.executable, "-c", KILLED, str(whole), str(at), function]
        return subprocess.run(command, env=tiny.environment(), capture_output=True, text=True, check=False)

    calls = int(tried(0).stdout)
    assert calls > 3 * len(records)
    places = {*range(1, calls, max(1, calls // 12)), calls}
    for at in sorted(places):
        assert tried(at).returncode == -signal.SIGKILL
        assert runs.read(whole).records == records
        assert {name: content for name, content in tiny.cells(whole).items() if ".partial-" not in name} == before
        files.remove_partial(whole)
        packed.pack(whole)
        assert not (whole / "cells").exists()
        assert tiny.cells(whole) == before


def test_a_file_that_ends_early_is_read_as_far_as_it_goes(loose: Path, tmp_path: Path) -> None:
    packed.pack(loose)
    cells = runs.read(loose).info["cells"]
    content = (loose / RECORDS).read_bytes()
    (loose / RECORDS).write_bytes(content[: len(content) // 2])
    found = runs.read(loose)
    assert set(found.damaged) == {RECORDS}
    assert [record["cell"] for record in found.records] == cells
    lost = [record for record in found.records if RECORDS in record["happened"]["reason"]]
    assert all(record["happened"]["status"] == "failed" for record in lost)
    assert 0 < len(lost) < len(cells)
    table = tidy.read(loose).drop_duplicates("cell").set_index("cell")
    assert all(record["asked"]["approach"] == table.loc[record["cell"], "approach"] for record in lost)
    assert __main__.main(["report", str(loose), "--reports", str(tmp_path / "reports")]) == 1


def test_a_record_that_was_changed_is_told_by_its_checksum(loose: Path) -> None:
    packed.unpack(loose)
    packed.pack(loose)
    texts = packed.Pack(loose).records
    cell = sorted(texts)[1]
    lines = [packed_records.line(name, text) for name, text in sorted(texts.items())]
    changed = lines[1].replace(b'\\"reason\\": \\"\\"', b'\\"reason\\": \\"x\\"')
    assert changed != lines[1]
    lines[1] = changed
    parts = [lines[start : start + packed_records.TOGETHER] for start in range(0, len(lines), packed_records.TOGETHER)]
    (loose / RECORDS).write_bytes(b"".join(gzip.compress(b"".join(part)) for part in parts))
    found = runs.read(loose)
    assert found.damaged[RECORDS].startswith(f"the record of {cell} is not what its checksum says; ")
    assert [one["cell"] for one in found.records if "checksum" in one["happened"]["reason"]] == [cell]


def test_a_damaged_archive_costs_pictures_and_curves_alone(loose: Path, tmp_path: Path) -> None:
    packed.pack(loose)
    with zipfile.ZipFile(loose / BESIDE) as archive:
        entry = next(one for one in archive.infolist() if one.filename.endswith("curve.csv"))
    content = bytearray((loose / BESIDE).read_bytes())
    content[entry.header_offset + 30 + len(entry.filename) + 5] ^= 0xFF
    (loose / BESIDE).write_bytes(bytes(content))
    assert runs.read(loose).damaged == {}
    told: list[str] = []
    report.build(loose, tmp_path / "reports", told.append)
    assert len(told) == 1
    assert entry.filename in told[0]
    assert f"unpack the run (`bench unpack {loose}`)" in told[0]
    (loose / BESIDE).write_bytes(b"PK")
    found = runs.read(loose)
    assert set(found.damaged) == {BESIDE}
    assert found.told()[0].endswith("no score is in it; for samples and curves start another run with --new")
    assert not any("damaged" in record["happened"]["reason"] for record in found.records)
    packed.unpack(loose)
    assert (loose / f"damaged-{BESIDE}").read_bytes() == b"PK"


@pytest.mark.parametrize("name", [RECORDS, BESIDE, ITEMS, "results.parquet"])
def test_a_file_that_is_gone_is_missed(name: str, finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    (folder / name).unlink()
    found = runs.read(folder)
    assert found.damaged == {name: "it is gone"}
    assert [record["cell"] for record in found.records] == found.info["cells"]
    lost = {record["happened"]["status"] for record in found.records} == {"failed"}
    assert lost == (name == RECORDS)
    if name != RECORDS:
        assert tiny.run(path) == folder
        assert runs.read(folder).damaged == {}
        assert tiny.quality(folder) == tiny.quality(finished)


def test_one_flipped_bit_costs_a_few_records(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", seeds=(0, 1, 2, 3), beside=False)
    packed.pack(run)
    content = bytearray((run / RECORDS).read_bytes())
    cells = runs.read(run).info["cells"]
    assert len(cells) > 3 * packed_records.TOGETHER
    content[200] ^= 1
    (run / RECORDS).write_bytes(bytes(content))
    found = packed.Pack(run)
    assert len(cells) - packed_records.TOGETHER <= len(found.records) < len(cells)
    aside = packed.unpack(run)
    assert list(aside) == [f"damaged-{RECORDS}"]
    (run / RECORDS).write_bytes(b"another")
    assert list(packed.unpack(run)) == [f"damaged-1-{RECORDS}"]
    assert (run / f"damaged-{RECORDS}").read_bytes() == bytes(content)


def test_what_cannot_be_read_again_stays_in_the_folder(loose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, line = tiny.cells(loose), packed_records.line
    lost = sorted(runs.read(loose).info["cells"])[3]
    monkeypatch.setattr(packed_records, "line", lambda cell, text: b"{}\n" if cell == lost else line(cell, text))
    packed.pack(loose)
    assert [path.name for path in (loose / "cells").glob("*")] == [f"{lost}.json"]
    assert tiny.cells(loose) == before


@pytest.mark.parametrize("many", ["\n" * (1 << 20), "{}\n" * 40, "[" * 10_000])
def test_a_flood_is_damage_and_what_follows_it_is_read(many: str, loose: Path) -> None:
    packed.pack(loose)
    content = (loose / RECORDS).read_bytes()
    (loose / RECORDS).write_bytes(gzip.compress(many.encode(), mtime=0) + content)
    found = packed.Pack(loose)
    assert len(found.records) == len(runs.read(loose).info["cells"])
    assert RECORDS in found.damaged


def test_names_in_an_archive_cannot_be_those_of_records_or_lie_elsewhere(loose: Path) -> None:
    packed.pack(loose)
    wrong = ["cells/x.json", "../x", "/x", "run.json", "cells/a/../../x", "logs/a/b", f"logs/{'a' * 300}"]
    with zipfile.ZipFile(loose / BESIDE, "a") as archive:
        for name in wrong:
            archive.writestr(name, "x")
    assert not {*packed.Pack(loose).names()} & {*wrong}
    packed.unpack(loose)
    assert not (loose / "cells" / "x.json").exists()
    assert not list(loose.parent.parent.rglob("x"))


@pytest.mark.parametrize("name", [RECORDS, BESIDE, ITEMS, "results.parquet"])
def test_a_pipe_in_the_place_of_a_file_is_waited_for_by_nobody(name: str, finished: Path, tmp_path: Path) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert not Ledger(loading.load(tiny.copied(finished, tmp_path / "again")), folder, retry=False).is_settled()
    runs.read(folder)


def test_links_stay(loose: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.txt").write_text("mine")
    link = loose / "logs" / "link.txt"
    link.symlink_to(tmp_path / "elsewhere.txt")
    packed.pack(loose)
    assert link.is_symlink()


def test_a_reader_finds_what_was_packed_meanwhile(loose: Path) -> None:
    found = runs.read(loose)
    cell = next(cell for cell in found.cells.names() if found.cells.beside(cell))
    (name, *_) = found.cells.beside(cell)
    before = found.content(cell, name)
    packed.pack(loose)
    assert found.content(cell, name) == before
    assert name in found.cells.beside(cell)
    assert found.cells.record(cell)


def test_mutations_end_in_no_traceback(tmp_path: Path) -> None:
    source, chance = make_run(tmp_path / "results", sizes=(50,), seeds=(0,)), random.Random(0)
    packed.pack(source)
    for number in range(40):
        run = tmp_path / str(number) / "tiny" / "run"
        shutil.copytree(source, run)
        for name in (RECORDS, BESIDE):
            if chance.random() < 0.7:
                mutations.damage(run / name, chance)
        found = runs.read(run)
        for record in found.records:
            for name in found.cells.beside(record["cell"]):
                found.content(record["cell"], name)
        packed.unpack(run)
        assert not (run / RECORDS).exists()


def test_a_run_that_was_packed_is_gone_on_with(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    assert {file.name for file in folder.iterdir()} == {
        "run.json",
        "results.parquet",
        RECORDS,
        BESIDE,
        ITEMS,
        "weights",
    }
    content = (folder / RECORDS).read_bytes()
    (folder / RECORDS).write_bytes(content[: len(content) * 3 // 4])
    there = {record["cell"] for record in runs.read(folder).records if record["happened"]["status"] == "ok"}
    before = {name: text for name, text in tiny.cells(folder).items() if name.removesuffix(".json") in there}
    assert tiny.run(path) == folder
    assert len(before) < len(runs.read(folder).records)
    assert {name: text for name, text in tiny.cells(folder).items() if name in before} == before
    assert tiny.quality(folder) == tiny.quality(finished)
    assert (folder / f"damaged-{RECORDS}").exists()


def test_a_finished_run_that_lacks_a_record_says_so(loose: Path) -> None:
    about = files.read_json(loose / "run.json")
    files.write_json(loose / "run.json", about | {"finished": "2026-01-01"})
    cell = about["cells"][2]
    runs.record_path(loose, cell).unlink()
    found = runs.read(loose)
    assert found.damaged == {f"cells/{cell}.json": "it is gone"}
    assert found.records[2]["cell"] == cell
    assert found.records[2]["happened"]["status"] == "failed"


def test_a_suite_that_changed_has_the_table_of_its_cells(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    both = set(tidy.read(tiny.latest(path))["approach"])
    tiny.edited(path, "- full_finetuning\n", "- zero_shot\n")
    folder = tiny.run(path)
    assert set(tidy.read(folder)["approach"]) == both - {"full_finetuning"}
    tiny.edited(path, "- zero_shot\n", "- full_finetuning\n")
    assert set(tidy.read(tiny.run(path))["approach"]) == both
    assert {one["cell"] for one in runs.read(folder).records} == set(tidy.read(folder)["cell"])


def test_a_cache_that_cannot_be_made_takes_nothing_of_a_damaged_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    (folder / RECORDS).write_bytes(b"x" + (folder / RECORDS).read_bytes()[1:])
    monkeypatch.setattr(runner._Run, "_work", lambda *_: (_ for _ in ()).throw(BenchError("no")))
    with pytest.raises(BenchError, match="no"):
        tiny.run(path)
    assert (folder / "run.json").exists()
    assert len(tidy.read(folder)) == len(tidy.read(finished))


def test_unpack_is_a_command(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    assert __main__.main(["unpack", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'cells'}\n"
    assert json.loads(next(folder.glob("cells/*.json")).read_text())["cell"]
    assert __main__.main(["unpack", str(tmp_path)]) == 2
