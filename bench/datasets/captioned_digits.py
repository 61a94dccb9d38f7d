"""Captioned image target: real handwritten digits and what they are."""

import numpy as np

from bench.dataset import Dataset
from bench.datasets._captions import captioned, spoken
from bench.datasets.handwritten_digits import labelled
from bench.options import Count

MODALITY = "captioned_image"


def captioned_digits(*, size: Count = 16) -> Dataset:
    """The 1,797 handwritten digits that come with scikit-learn, each with its caption, such as "a handwritten seven".

    Pictures and splits are those of handwritten_digits.

    Paper: Alpaydin, Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (its
    test set).

    Args:
        size: side of the pictures in pixels, 8 to 128; enlarged by bicubic interpolation.
    """
    splits = labelled(size=size)
    return captioned(
        "captioned_digits",
        {
            split: (images, np.array([f"a handwritten {spoken(digit)}" for digit in digits]))
            for split, (images, digits) in splits.items()
        },
    )
