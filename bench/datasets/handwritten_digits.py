"""Image target: real handwritten digits."""

import numpy as np
from PIL import Image

from bench.dataset import SPLITS, Dataset
from bench.datasets._images import check_size, distinct, without_labels
from bench.options import Count

MODALITY = "image"

SHARES = {"train": 0.60, "validation": 0.15, "test": 0.25}

_FULL_INK = 16  # the packaged images count dark pixels in blocks of 4 by 4


def handwritten_digits(*, size: Count = 16) -> Dataset:
    """The 1,797 handwritten digits that come with scikit-learn, white ink on black, 8 by 8 enlarged to 16 by 16.

    Splits are by image, 60/15/25 per cent of a seeded shuffle after removal of near-duplicates. The data do not name
    their 13 writers, so one may have written digits of several splits.

    Paper: Alpaydin, Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (its
    test set).

    Args:
        size: side of the pictures in pixels, 8 to 128; enlarged by bicubic interpolation.
    """
    return without_labels("handwritten_digits", labelled(size=size))


def labelled(*, size: int = 16) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same items with the digits they show.

    Returns:
        Split name to images (uint8, shape (items, size, size, 1)) and labels (str, shape (items,)).
    """
    from sklearn.datasets import load_digits

    check_size("handwritten_digits", size)
    data = load_digits()
    grey = np.round(data.images * (255 / _FULL_INK)).astype(np.uint8)
    kept = np.flatnonzero(distinct(grey[..., None]))  # on the originals: the splits do not depend on the size
    order = np.random.default_rng(0).permutation(kept)
    enlarged = [Image.fromarray(grey[i]).resize((size, size), Image.Resampling.BICUBIC) for i in order]
    images, labels = np.stack([np.asarray(image) for image in enlarged])[..., None], data.target[order].astype("U1")
    ends = np.round(np.cumsum(list(SHARES.values()))[:-1] * len(order)).astype(int)
    parts = zip(np.split(images, ends), np.split(labels, ends), strict=True)
    return dict(zip(SPLITS, parts, strict=True))
