"""How much of the held-out images survives the way through the model's code."""

import math

import numpy as np
import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, standard_error

NEEDS = ("image", "reconstruction")
PRIMARY = "reconstruction_mse"


@torch.inference_mode()
def reconstruction(evaluation: Evaluation) -> list[Score]:
    """Mean squared error and peak signal-to-noise ratio of the test images that the model encodes and decodes.

    Both are taken of the 8-bit images at the model's resolution: the error with pixels from 0 to 1, the ratio in
    decibels as the mean of the images' own, which is infinite as soon as one image comes back as it was.
    """
    model, squares = evaluation.model, list[np.ndarray]()
    for batch in batches(evaluation):
        wanted, made = (np.asarray(model.decode(rows), float) / 255 for rows in (batch, model.reconstruct(batch)))
        squares.append(((wanted - made) ** 2).reshape(len(wanted), -1).mean(1))
    errors = np.concatenate(squares)
    with np.errstate(divide="ignore"):
        decibels = -10 * np.log10(errors)
    n, mean = len(errors), float(decibels.mean())
    spread, each = (standard_error(decibels), decibels) if math.isfinite(mean) else (None, None)
    return [
        Score("reconstruction_mse", float(errors.mean()), "", "lower", n, standard_error(errors), errors),
        Score("psnr", mean, "dB", "higher", n, spread, each),
    ]
