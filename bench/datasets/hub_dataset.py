"""Any dataset of the Hugging Face hub whose rows hold texts or pictures."""

import textwrap
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from datasets import Image, load_dataset, load_dataset_builder
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from bench.dataset import Dataset
from bench.datasets import _files, _pictures, _table
from bench.datasets._files import Damaged, Found, Remark
from bench.errors import DataError
from bench.options import Count

MODALITY = "{modality}"
EXTRA = "hub"

PARTS = _table.PARTS | {"image": ("image",), "captioned_image": ("caption", "images")}
"""Modality to the parts of an item, each of which is a column."""

_PICTURES = {"image": ("image",), "captioned_image": ("images",)}
_REMEDY = "run `bench fetch SUITE` where there is a network"
_BESIDE = ["README.md", ".huggingface.yaml", "dataset_infos.json"]  # that say which files make which configuration


def hub_dataset(
    *,
    id: str,  # noqa: A002 - the hub's word
    config: str = "",
    split: str = "",
    columns: list[str],
    modality: Literal["text", "text_pair", "image", "captioned_image"] = "text",
    revision: str = "",
    rows: Count | None = None,
    size: Count = 32,
    mode: Literal["rgb", "grey"] = "rgb",
    crop: Literal["centre", "none"] = "centre",
    held_out: Count = 1000,
) -> Dataset:
    """A dataset by its hub id: texts, pairs of texts, pictures, or pictures with captions, from columns of its rows.

    Its splits train, validation (valid, val, dev) and test are kept; where one of the last two is missing, a tenth of
    the distinct rows is, chosen by their content. Rows that hold nothing, or no such thing, in a column are skipped and
    counted. No code of the dataset's runs.

    Paper: Lhoest et al. 2021, Datasets: A Community Library for Natural Language Processing

    Args:
        id: such as Salesforce/wikitext.
        config: of the dataset, where it has several, such as wikitext-2-raw-v1.
        split: the only one of its splits to read, divided here.
        columns: one for each part of an item: of a text, of a picture; [source, target] of a pair; [caption, picture].
            ``a.b`` is the entry b of what a holds.
        modality: text, text_pair, image or captioned_image.
        revision: branch, tag or commit; what others shall find again names a commit.
        rows: to read of each split, at most.
        size: side of the pictures in pixels, 8 to 1024.
        mode: rgb or grey.
        crop: centre cuts the largest square out of the middle; none squeezes the whole picture into the square.
        held_out: rows of the validation and of the test split, at most.
    """
    parts, pictures = PARTS[modality], _PICTURES.get(modality, ())
    _table.check_columns("hub_dataset", columns, modality, parts)
    _pictures.check_size("hub_dataset", size)

    remarks: list[Remark] = []

    def part(row: dict[str, Any], name: str, column: str) -> Any:
        if name not in pictures:
            return _table.text(row, column)
        return _pictures.read(_encoded(row, column), size, mode, crop, remarks)

    def found() -> Iterator[Found | Damaged | Remark]:
        splits, others = _splits(id, config, split, revision)
        for name, stream in splits.items():
            for column in columns if pictures else ():
                if isinstance((stream.features or {}).get(column), Image):
                    stream = stream.cast_column(column, Image(decode=False))
            for number, row in enumerate(islice(stream, rows), 1):
                if number == 1:
                    _table.check_named("hub_dataset", f"{id}, split {name},", columns, row.keys())
                try:
                    item = {name: part(row, name, column) for name, column in zip(parts, columns, strict=True)}
                except Damaged as error:
                    yield Damaged(f"{name} row {number}: {error}")
                    continue
                yield Found(item if len(parts) > 1 else item[parts[0]], "" if split else _files.role(name))
        yield from remarks
        if others and not split:
            yield Remark(f"{len(others)} other split{'s' * (len(others) > 1)} left out: {', '.join(others)}")

    by = "images" if modality == "captioned_image" else _table.decides(modality)
    try:
        return _files.dataset("hub_dataset", modality, id, found(), held_out=held_out, by=by, unit="rows")
    except (DataError, OSError):
        raise
    except Exception as error:  # of the readers of its many formats
        raise _unusable(id, f"cannot be read ({_said(error)})", "name another, or another config") from error


def fetch(*, id: str, config: str, revision: str, **_: object) -> bool:  # noqa: A002
    """Download the files of a configuration; whether any was missing. :class:`DataError` where that cannot be done."""
    before = _cached(id, revision)
    if constants.HF_HUB_OFFLINE:
        if before:
            return False
        raise _unusable(id, f"not in the hub's cache {constants.HF_HUB_CACHE}", _REMEDY)
    had = _names(before)
    try:
        files = load_dataset_builder(id, config or None, revision=revision or None).config.data_files or {}
        patterns = [url.partition("@")[2].partition("/")[2] for urls in files.values() for url in urls]
        snapshot = snapshot_download(
            id, repo_type="dataset", revision=revision or None, allow_patterns=patterns + _BESIDE
        )
    except Exception as error:  # not there, gated, no such config, no network: the hub's own words say which
        raise _unusable(
            id,
            _said(error),
            "check id, config and revision; without a network, set HF_HUB_OFFLINE=1 after `bench fetch SUITE`",
        ) from error
    return not _names(Path(snapshot)) <= had


def _splits(id: str, config: str, split: str, revision: str) -> tuple[dict[str, Any], list[str]]:  # noqa: A002
    """Name of a split to its rows, read one by one from the files in the hub's cache; and what other splits it has."""
    fetch(id=id, config=config, revision=revision)
    try:
        splits = load_dataset(str(_cached(id, revision)), config or None, streaming=True)
    except Exception as error:
        raise _unusable(id, _said(error), f"check the config, or {_REMEDY}") from error
    wanted = {name: rows for name, rows in splits.items() if (name == split if split else _files.role(name))}
    if not wanted or (not split and "train" not in map(_files.role, wanted)):
        missing = f"has no split {split or 'train'!r}"
        raise _unusable(id, missing, f"name one in the option split: {', '.join(splits)}")
    return wanted, [name for name in splits if name not in wanted]


def _cached(id: str, revision: str) -> Path | None:  # noqa: A002
    """The snapshot in the hub's cache, which need not hold other configurations; None where there is none."""
    try:
        validate_repo_id(id)
    except HFValidationError as error:
        raise _unusable(id, "is no hub id", "write it as the hub does, such as Salesforce/wikitext") from error
    root = Path(constants.HF_HUB_CACHE, f"datasets--{id.replace('/', '--')}")
    named = root / "refs" / (revision or "main")
    folder = root / "snapshots" / (named.read_text().strip() if named.is_file() else revision or "none")
    return folder if folder.is_dir() else None


def _names(folder: Path | None) -> set[str]:
    return {path.as_posix() for path in folder.rglob("*") if path.is_file()} if folder else set()


def _encoded(row: dict[str, Any], column: str) -> bytes | Path:
    """The picture's file."""
    held = _table.value(row, column)
    held = held if isinstance(held, dict) else {"bytes": held}
    if isinstance(held.get("bytes"), bytes):
        return bytes(held["bytes"])
    if isinstance(held.get("path"), str):
        path = Path(held["path"]).resolve()
        if not path.is_relative_to(Path(constants.HF_HUB_CACHE).resolve()):  # a row is not to name what else is here
            raise Damaged(f"column {column!r} names a file outside of the hub's cache")
        return path
    raise Damaged(f"column {column!r} holds no picture")


def _said(error: Exception) -> str:
    """The beginning of what it says, in one line: some list every format there is."""
    return textwrap.shorten(_files.one_line(error), 240, placeholder=" …").rstrip(".")


def _unusable(id: str, problem: str, remedy: str) -> DataError:  # noqa: A002
    return DataError(f"dataset hub_dataset: {id}: {problem}; {remedy}")
