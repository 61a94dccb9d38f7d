"""`bench verify`: a byte of each file flipped, files gone, values changed, and what lies there that should not."""

import json
import random
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.results import files, packed, runs, tidy
from bench.results.packed import BESIDE, ITEMS, RECORDS
from bench.running import holding
from tests import mutations, tiny
from tests.plans import refused
from tests.report.runs import make_run
from tests.results.test_imported import cell, made

TABLE = "results.parquet"


def verified(capsys: pytest.CaptureFixture[str], run: Path) -> tuple[int, list[str]]:
    """Exit code and lines, without the run's folder."""
    code = __main__.main(["verify", str(run)])
    said = capsys.readouterr()
    assert said.err == ""
    return code, said.out.replace(f"{run}/", "").splitlines()


def faults(capsys: pytest.CaptureFixture[str], run: Path) -> list[str]:
    code, lines = verified(capsys, run)
    found = [line for line in lines[:-1] if not line.startswith(("strange: ", "not checked: "))]
    assert code == bool(found)
    assert (": all is as it was; " in lines[-1]) == (not found)
    return found


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return tiny.latest(tiny.copied(finished, tmp_path))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def test_a_whole_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = verified(capsys, run)
    assert code == 0
    (line,) = lines
    assert line.startswith(f"{run}: all is as it was; checked 4 file checksums, 10 records, ")
    assert " archived files, " in line
    assert line.endswith(" table rows")


@pytest.mark.parametrize("name", ["run.json", TABLE, RECORDS, ITEMS])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_a_flipped_bit_wherever_it_is(name: str, part: float, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(run / name, int(part * (run / name).stat().st_size))
    found = faults(capsys, run)
    assert any(line.startswith(f"{name}: ") for line in found)
    assert all("; " in line for line in found), "each has a remedy"


def test_a_flipped_bit_in_any_file_of_the_archive(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(run / BESIDE) as archive:
        entries = archive.infolist()
    assert len(entries) > 5
    for entry in entries[:: len(entries) // 4]:
        place = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
        flip(run / BESIDE, place)
        (line,) = faults(capsys, run)
        assert line.startswith(f"{BESIDE}: {entry.filename}: ")
        assert "bench unpack" in line or entry.filename.startswith("logs/")
        flip(run / BESIDE, place)


@pytest.mark.parametrize("name", [TABLE, RECORDS, ITEMS, BESIDE])
def test_a_file_that_is_gone(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / name).unlink()
    assert faults(capsys, run)[0].startswith(f"{name}: it is gone; ")


def test_a_shorter_archive_and_another_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(run / BESIDE, "a") as archive:
        archive.writestr("../outside", "x")
    found = faults(capsys, run)
    assert any("a name that no run gives to a file" in line for line in found)
    assert any(line.startswith(f"{BESIDE}: not what run.json says") for line in found)
    (run / BESIDE).write_bytes((run / BESIDE).read_bytes()[:-50])
    assert any(line.startswith(f"{BESIDE}: ") for line in faults(capsys, run))


def changed_table(run: Path, change: Callable[[Any], Any]) -> None:
    """Another table with the checksum that belongs to it: so only the records can tell."""
    change(tidy.read(run)).to_parquet(run / TABLE, index=False)
    info = files.read_json(run / "run.json")
    info["packed"][TABLE] = packed.checksum(run / TABLE)
    files.write_json(run / "run.json", files.sealed(info))


def test_every_value_of_the_table(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tidy.read(run)
    row = int(table.index[table["value"].notna()][-1])
    for name in table.columns.drop(["cell", "metric"]):
        changed = table.copy()
        changed.loc[row, name] = 7 if changed[name].dtype.kind in "if" else "another"
        changed_table(run, partial(lambda changed, _: changed, changed))
        (line,) = faults(capsys, run)
        assert line.startswith(f"{TABLE}: {table['cell'][row]}: {name} of {table['metric'][row]} is ")
        assert line.endswith("; run the suite again to make it anew")
    changed_table(run, lambda _: table)
    assert faults(capsys, run) == []


def test_rows_that_are_lost_doubled_or_of_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tidy.read(run)
    first = table["cell"][0]
    changed_table(run, lambda _: table[1:])
    assert faults(capsys, run) == [f"{TABLE}: {first}: its rows are not those of its record's scores; {files.ANEW}"]
    changed_table(run, lambda _: table[table["cell"] != first])
    assert faults(capsys, run) == [f"{TABLE}: {first}: no row of it is there; {files.ANEW}"]
    changed_table(run, lambda _: table.assign(cell=table["cell"].replace(first, "x")))
    assert f"{TABLE}: x: the run has no such cell; {files.ANEW}" in faults(capsys, run)


def test_a_run_again_mends_what_can_be_made_anew(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.copied(finished, tmp_path)
    run = tiny.latest(path)
    changed_table(run, lambda table: table.assign(value=table["value"] + 1))
    info = files.read_json(run / "run.json")
    files.write_json(run / "run.json", info | {"seconds": 1.0})
    assert "run.json: not what its own checksum says" in faults(capsys, run)[0]
    tiny.run(path)
    capsys.readouterr()
    assert faults(capsys, run) == []


def test_an_unpacked_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed.unpack(run)
    code, lines = verified(capsys, run)
    assert code == 0
    assert any(
        line.startswith("not checked: ") and "beside records in the folder have no checksum" in line for line in lines
    )
    record = next(run.glob("cells/*.json"))
    content = files.read_json(record)
    content["happened"]["scores"][0]["value"] += 1
    files.write_json(record, content)
    (line,) = faults(capsys, run)
    assert line.startswith(f"{TABLE}: {record.stem}: value of {content['happened']['scores'][0]['metric']} is ")
    record.write_text("{")
    assert faults(capsys, run)[0].startswith(f"cells/{record.name}: ")
    record.unlink()
    assert faults(capsys, run)[0].startswith(f"cells/{record.name}: it is gone; ")


def test_items_of_an_unpacked_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed.unpack(run)
    path = next(run.glob(f"cells/*/{ITEMS}"))
    flip(path, path.stat().st_size // 3)
    (line,) = faults(capsys, run)
    assert line.startswith(f"cells/{path.parent.name}/{ITEMS}: ")
    assert "; remove " in line


def test_the_ends_that_run_json_counts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = files.read_json(run / "run.json")
    files.write_json(run / "run.json", files.sealed(info | {"ends": {"ok": 9, "failed": 1}}))
    (line,) = faults(capsys, run)
    assert line.startswith('run.json: ends: {"ok": 9, "failed": 1}, the records say {"ok": 10}; ')


def test_what_does_not_belong_to_a_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").touch()
    (run / "notes.txt").touch()
    (run / "mine" / "deep").mkdir(parents=True)
    (run / "mine" / "deep" / "file").touch()
    (run / "inside").symlink_to(run / "run.json")
    (run / ".partial-x.json").touch()
    (run / "cells").mkdir()
    (run / "cells" / "other.json").touch()
    code, lines = verified(capsys, run)
    assert code == 0
    assert sorted(line.split(": ")[1] for line in lines[:-1]) == [
        ".partial-x.json", "cells/other.json", "inside", "mine", "notes.txt"
    ]  # fmt: skip
    (run / "mine" / "out").symlink_to(outside)
    (run / "loop").symlink_to(run / "loop")
    found = faults(capsys, run)
    assert found == ["mine/out: a link that leads out of the run's folder; remove it"]


def test_an_imported_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made(tmp_path, cell(seed=0), cell(seed=1))
    assert faults(capsys, run) == []
    flip(run / TABLE, 300)
    assert all(line.endswith("; import it again") for line in faults(capsys, run))


def test_a_run_that_is_not_finished_and_one_of_an_earlier_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "results", beside=False)
    _, lines = verified(capsys, run)
    assert "not checked: run.json has no checksums: an earlier version wrote it" in lines
    assert faults(capsys, run) == []
    info = files.read_json(run / "run.json")
    files.write_json(run / "run.json", info | {"finished": None})
    next(run.glob("cells/*.json")).unlink()
    assert faults(capsys, run) == []
    (run / TABLE).write_bytes(b"PAR1")
    assert faults(capsys, run)[0].startswith(f"{TABLE}: not a readable table (")
    (run / TABLE).unlink()
    assert faults(capsys, run) == []
    assert "not checked: the run is not finished: 1 cell left" in verified(capsys, run)[1]


def test_records_that_are_lost_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "results", sizes=(50,), seeds=(0, 1), beside=False)
    packed.pack(run)
    flip(run / RECORDS, 200)
    lost = [one for one in runs.read(run).info["cells"] if one not in packed.Pack(run).records]
    assert lost
    assert any(f"records are lost: {lost[0]}, " in line for line in faults(capsys, run))


def test_for_scripts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / TABLE).unlink()
    assert __main__.main(["verify", str(run), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["faults"] == [{"file": TABLE, "what": "it is gone", "remedy": files.ANEW}]
    assert (said["strange"], said["unchecked"]) == ({}, [])
    assert said["checked"]["record"] == 10


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no run.json; name a folder such as" in refused(capsys, "verify", tmp_path)


def test_one_that_is_worked_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with holding.alone(run):
        code, (line, _) = verified(capsys, run)
    assert code == 0
    assert line.startswith("not checked: what a process that works on it is writing; verify it again")


def test_a_name_that_is_read_as_another_today(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of an earlier version has the name that the record had then."""
    run = made(tmp_path, cell("real_data"))
    assert tidy.read(run)["approach"].tolist() == ["real_data"]
    assert [record["asked"]["approach"] for record in runs.records(run)] == ["training_data"]
    assert faults(capsys, run) == []
    changed_table(run, lambda table: table.assign(approach="training_data", options='{"training_data": {}}'))
    assert faults(capsys, run) == []
    changed_table(run, lambda table: table.assign(approach="lora"))
    assert len(faults(capsys, run)) == 1


@pytest.mark.parametrize("command", ["status", "verify"])
def test_mutations_end_in_no_traceback(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loose, chance = make_run(tmp_path / "results", sizes=(50,), seeds=(0,)), random.Random(0)
    whole = tmp_path / "whole"
    shutil.copytree(loose, whole)
    packed.pack(whole)
    for number in range(20):
        run = tmp_path / str(number)
        shutil.copytree(chance.choice([loose, whole]), run)
        path = chance.choice([*filter(Path.is_file, sorted(run.iterdir())), *sorted(run.glob("cells/*.json"))[:2]])
        mutations.damage(path, chance)
        assert __main__.main([command, str(run)]) in (0, 1, 2)
        capsys.readouterr()
