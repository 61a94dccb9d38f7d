"""What the captioned image domains share: how a caption names a character, and the way to a dataset."""

import unicodedata
from typing import Any

import numpy as np

from bench.dataset import Columns, Dataset


def spoken(character: str) -> str:
    """``seven`` for 7, ``capital A`` for A, ``small a`` for a: text encoders such as CLIP's read no upper case."""
    name = unicodedata.name(character).lower().removeprefix("digit ")
    return name if character.isdigit() else f"{name.split()[1]} {character}"


def captioned(name: str, labelled: dict[str, tuple[np.ndarray, np.ndarray]]) -> Dataset:
    """Images with their captions; the last word, which says what is to be seen, makes the sub-domains.

    Args:
        name: of the dataset.
        labelled: split name to images (uint8, shape (items, height, width, channels)) and captions (str, (items,)).
    """
    splits: dict[str, Any] = {
        split: Columns({"caption": captions.tolist(), "images": images})
        for split, (images, captions) in labelled.items()
    }
    shown = [caption.rsplit(" ", 1)[-1] for caption in splits["train"]["caption"]]
    _, groups = np.unique(shown, return_inverse=True)
    return Dataset(name, "captioned_image", **splits, groups=groups.astype(np.int64))
