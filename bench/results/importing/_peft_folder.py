"""The result files in a folder of PEFT's method comparison: which ones, and which run of an experiment counts."""

from collections import Counter
from pathlib import Path

from bench.errors import ResultsError
from bench.results import files
from bench.results.imported import Cell, Imported
from bench.results.importing import _peft_result, _sizes
from bench.words import counted

_FOLDERS = ("results", "cancelled_results")
_TRIED = "temporary_results"
_MOST, _LARGEST = 20_000, 4 << 20  # files, bytes of one
_PRIMARY = {"causal_lm": "accuracy", "text_to_image": "dino_similarity"}


def imported(folder: Path) -> Imported:
    """All results in a folder; :class:`ResultsError` where there is none."""
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no folder; name PEFT's method_comparison, or a folder of its result files")
    paths, left_out = _result_files(folder)
    if len(paths) > _MOST:
        raise ResultsError(f"{folder}: {len(paths)} JSON files, more than {_MOST}; name a folder of results")
    found, older = dict[tuple[object, ...], Cell](), Counter[str]()
    names = dict[tuple[object, ...], str]()
    others, unreadable = dict[str, list[str]](), dict[str, list[str]]()
    for path in paths:
        try:
            cell = _peft_result.cell(files.parsed_text(_bytes(path)), path.stem, _task_folder(path))
            sized = Cell({"data_size": 0} | cell.asked, cell.happened, cell.environment)
            sized.record("imported", "imported")  # raises where nobody could read it again
        except files.Damaged as reason:
            kind = others if isinstance(reason, _peft_result.NoResult) else unreadable
            kind.setdefault(str(reason), []).append(path.relative_to(folder).as_posix())
            continue
        if (other := found.get(cell.place)) is not None:
            older[str(cell.asked["approach"])] += 1
            cell = max(other, cell, key=_standing)
        if cell is not other:
            found[cell.place], names[cell.place] = cell, path.relative_to(folder).as_posix()
    said = _lines(unreadable)
    left_out += _lines(others)
    if not found:
        remedy = "name PEFT's method_comparison, a task's folder in it, or one of its results"
        why = [*said, *left_out, "no JSON file"][0]
        raise ResultsError(f"{folder}: holds no result of PEFT's comparison ({why}); {remedy}")
    if older:
        runs = f"{counted(older.total(), 'run')} of experiments that were run again"
        left_out.append(f"{runs}: {_listed(list(older))}; the last that succeeded counts")
    cells, unsized, is_stand_in = _sizes.settle(found.values())
    if unsized:
        left_out.append(
            f"{counted(len(unsized), 'result')} without a number of training examples, which others have: "
            f"{_listed([names[cell.place] for cell in unsized])}; name a folder of nothing but such results, "
            "or complete train_config there"
        )
    cells.sort(key=lambda cell: [str(part) for part in cell.place])
    left_out += [line for cell in cells for line in cell.environment.get("left_out", [])]
    for cell in cells:
        cell.environment.pop("left_out", None)  # said once, with all others
    primary = {family: _PRIMARY[family] for cell in cells if (family := cell.asked["family"]) in _PRIMARY}
    told = ["no result has a number of training examples, so 0 stands for it in all"] if is_stand_in else []
    return Imported(cells, primary, _description(cells), left_out, said, [*told, *_warnings(cells)])


def _result_files(folder: Path) -> tuple[list[Path], list[str]]:
    """JSON files of the folders of results in it, or of itself; and what is left out."""
    inner = [path for name in _FOLDERS for path in _inside(folder, name)]
    paths = sorted(path for one in inner or [folder] for path in one.glob("*.json"))
    tried = [path for one in _inside(folder, _TRIED) for path in one.glob("*.json")]
    left = f"{counted(len(tried), 'file')} in {_TRIED}, runs of branches; name that folder to import them"
    return paths, [left] if tried else []


def _inside(folder: Path, name: str) -> list[Path]:
    """Folders of a name, in the folder of a task, of all tasks, or of the whole repository."""
    return [path for above in ("", "*/", "*/*/") for path in folder.glob(f"{above}{name}") if path.is_dir()]


def _lines(found: dict[str, list[str]]) -> list[str]:
    return [f"{_listed(names)}: {reason}" for reason, names in found.items()]


def _bytes(path: Path) -> bytes:
    try:
        return files.regular(path, _LARGEST).read_bytes()
    except OSError as error:
        raise files.Damaged(error.strerror or str(error)) from error


def _task_folder(path: Path) -> str:
    """``MetaMathQA`` of ``MetaMathQA/results/a.json``."""
    holder = path.resolve().parent
    return (holder.parent if holder.name in (*_FOLDERS, _TRIED) else holder).name


def _standing(cell: Cell) -> tuple[bool, str]:
    return cell.happened["status"] == "ok", _peft_result.created(cell)


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _versions(cells: list[Cell]) -> list[str]:
    return sorted({found for cell in cells if (found := cell.environment.get("packages", {}).get("peft"))})


def _accelerators(cells: list[Cell]) -> list[str]:
    return sorted({found for cell in cells if (found := cell.environment.get("machine", {}).get("accelerator"))})


def _description(cells: list[Cell]) -> str:
    targets = dict.fromkeys(str(cell.asked["target"]) for cell in cells)
    versions, on = _versions(cells), ", ".join(_accelerators(cells)) or "unknown accelerators"
    of = f"PEFT {versions[0]}" if len(versions) == 1 else f"{len(versions) or 'unknown'} versions of PEFT"
    return (
        f"PEFT's method comparison, imported: {counted(len(cells), 'result')} on {', '.join(targets)}; {of}, on {on}."
    )


def _warnings(cells: list[Cell]) -> list[str]:
    """What a reader of the comparison should know."""
    told = []
    if len(versions := _versions(cells)) > 1:
        told.append(
            f"the results are of {len(versions)} versions of PEFT: what differs may be theirs, not the approaches'"
        )
    if len(found := _accelerators(cells)) > 1:
        told.append(f"they were made on {', '.join(found)}: seconds and bytes do not compare between these")
    if names := dict.fromkeys(name for cell in cells for name in _peft_result.unranked(cell)):
        told.append(f"{_listed(list(names))}: whether higher or lower is better is not known, so none is the best")
    return told
