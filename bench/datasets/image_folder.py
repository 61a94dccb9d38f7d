"""A user's own pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from bench.dataset import Dataset
from bench.datasets import _files, _pictures
from bench.options import Count

MODALITY = "image"


def image_folder(
    *,
    path: str,
    size: Count = 32,
    mode: Literal["rgb", "grey"] = "rgb",
    crop: Literal["centre", "none"] = "centre",
    held_out: Count = 1000,
) -> Dataset:
    """The pictures in a folder: png, jpeg, webp, tiff and whatever else Pillow reads, in sub-folders as well.

    Folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is missing, a
    tenth of the distinct pictures is, chosen by their content. Other sub-folders are sub-domains. A picture that cannot
    be read, or whose levels are numbers of no known range, is skipped and counted. What is transparent becomes white,
    and of several frames the first is taken. Pictures are decoded one at a time and kept on disk.

    Args:
        path: of the folder, or of one picture; relative to the current folder, ``~`` is your home.
        size: side of the pictures in pixels, 8 to 1024.
        mode: rgb or grey.
        crop: centre cuts the largest square out of the middle; none squeezes the whole picture into the square.
        held_out: pictures of the validation and of the test split, at most.
    """
    _pictures.check_size("image_folder", size)

    def read(file: Path) -> Iterator[np.ndarray | _files.Remark]:
        remarks: list[_files.Remark] = []
        yield _pictures.read(file, size, mode, crop, remarks)
        yield from remarks

    listed = _files.listing("image_folder", path, _pictures.endings())
    found = _files.read_each(listed, read)
    return _files.dataset("image_folder", "image", path, found, held_out=held_out, unit="pictures")


def content(*, path: str, size: int = 32, **_: object) -> str:
    """Hash of the pictures' files."""
    _pictures.check_size("image_folder", size)
    return _files.content(_files.listing("image_folder", path, _pictures.endings()))
