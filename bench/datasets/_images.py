"""What the image domains share: the check of their size, the removal of near-duplicates, and the way to a dataset."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from bench.dataset import SPLITS, Dataset
from bench.errors import PluginError

THUMBNAIL = 8
"""Side of the pictures that are compared, in pixels: details below an eighth of the picture do not count."""

TOLERANCE = 12
"""Two pictures whose thumbnails differ by less than this root mean square, in grey levels of 255, are near-duplicates.
Over the 1,797 handwritten digits the nearest neighbour of an image is 32 away in the median, any other image 82."""

_SIDES = (THUMBNAIL, 128)


def check_size(dataset: str, size: int) -> None:
    """Raise :class:`PluginError` unless pictures of ``size`` by ``size`` pixels can be made."""
    low, high = _SIDES
    if not low <= size <= high:
        raise PluginError(f"dataset {dataset}: option 'size': {size} will not do; it should be {low} to {high} pixels")


def without_labels(name: str, labelled: dict[str, tuple[np.ndarray, np.ndarray]]) -> Dataset:
    """The images alone; what they show makes the sub-domains."""
    images: dict[str, Any] = {split: images for split, (images, _) in labelled.items()}
    _, shown = np.unique(labelled["train"][1], return_inverse=True)
    return Dataset(name, "image", **images, groups=shown.astype(np.int64))


def shuffled(drawn: Iterable[tuple[str, str, np.ndarray]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Drawn images with their labels in their splits; of near-duplicates the one that is held out stays.

    Args:
        drawn: split, label, and image of shape (height, width).

    Returns:
        Split name to images (uint8, shape (items, height, width, 1)) and labels (str, shape (items,)).
    """
    first = sorted(drawn, key=lambda item: -SPLITS.index(item[0]))  # of near-duplicates the first is kept: test's
    images = np.stack([image for _, _, image in first])[..., None]
    splits, labels = np.array([split for split, _, _ in first]), np.array([label for _, label, _ in first])
    order = np.random.default_rng(0).permutation(np.flatnonzero(distinct(images)))
    chosen = {split: order[splits[order] == split] for split in SPLITS}
    return {split: (images[indices], labels[indices]) for split, indices in chosen.items()}


def distinct(images: np.ndarray) -> np.ndarray:
    """Which images are no near-duplicate of an earlier one that is kept.

    Every pair is compared, block by block, which takes a second for 5,000 images.

    Args:
        images: uint8, shape (items, height, width, 1).

    Returns:
        bool, shape (items,).
    """
    thumbnails = np.stack([_thumbnail(image) for image in images])
    squares = (thumbnails**2).sum(axis=1)
    kept = np.ones(len(images), dtype=bool)
    for start in range(0, len(images), 512):
        rows = slice(start, start + 512)
        stop = min(start + 512, len(images))
        distance = squares[rows, None] + squares[:stop] - 2 * thumbnails[rows] @ thumbnails[:stop].T
        for row, earlier in np.argwhere(distance < TOLERANCE**2 * THUMBNAIL**2):
            if earlier < start + row and kept[earlier]:
                kept[start + row] = False
    return kept


def _thumbnail(image: np.ndarray) -> np.ndarray:
    small = Image.fromarray(image[..., 0]).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    # whole numbers whose sums of squares stay below 2**24: float32 is exact, so the result is the same on every machine
    return np.asarray(small, dtype=np.float32).ravel()
