"""How alike two pictures are in structure."""

import numpy as np
from scipy.ndimage import correlate1d

WINDOW = 11
"""Side of the Gaussian window, in pixels; smaller pictures have no structural similarity."""

_SIGMA, _K1, _K2, _RANGE = 1.5, 0.01, 0.03, 255.0


def structural_similarity(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mean SSIM of each pair of pictures: where the window lies inside of the picture alone, and over all channels.

    Paper: Wang et al. (2004), Image Quality Assessment: From Error Visibility to Structural Similarity (all constants
    are its own; it takes grey pictures, so channels are taken one by one).

    Args:
        ones, others: uint8, shape (N, H, W, C), with sides of at least ``WINDOW``.

    Returns:
        float64, shape (N,), from -1 to 1, which equal pictures have.
    """
    x, y = ones.astype(float), others.astype(float)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x, variance_y = _windowed(x * x) - mean_x**2, _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * _RANGE) ** 2, (_K2 * _RANGE) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    similarity: np.ndarray = (luminance * structure).mean(axis=(1, 2, 3))
    return similarity


def _windowed(images: np.ndarray) -> np.ndarray:
    """The mean in each window that lies inside of the picture, its pixels weighed by a Gaussian."""
    reach = WINDOW // 2
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * _SIGMA**2))
    smooth = images
    for axis in (1, 2):
        smooth = correlate1d(smooth, weights / weights.sum(), axis=axis)
    return smooth[:, reach:-reach, reach:-reach]
