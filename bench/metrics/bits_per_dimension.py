"""How well a model with a bound on the likelihood predicts the held-out images."""

import math

import numpy as np
import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, per_item, ratio, shares

NEEDS = ("likelihood_bound",)
PRIMARY = "bits_per_dimension"


@torch.inference_mode()
def bits_per_dimension(evaluation: Evaluation) -> list[Score]:
    """Evidence lower bound of the test split in nats per image, and the bits per dimension it guarantees.

    A dimension is one channel of one pixel, a value of 256, at the model's own resolution: the bits are an upper bound
    on what a code for the images takes, 8 for a model that knows nothing. The noise is the same for every approach.
    Standard errors are over images, with the noise as it is.

    Paper: Kingma & Welling (2014), Auto-Encoding Variational Bayes; Theis et al. (2016), A note on the evaluation of
    generative models (bits per dimension of discrete values).
    """
    model, generator = evaluation.model, evaluation.generator()
    each = [model.nll(model.draw(batch, generator)) for batch in batches(evaluation)]
    nats, sizes = (per_item(evaluation, torch.cat(parts).cpu().numpy()) for parts in zip(*each, strict=True))
    n = len(nats)
    error = float(nats.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    bits, bits_error = ratio(nats / math.log(2), sizes)
    return [
        Score("elbo", -float(np.mean(nats)), "nats/image", "higher", n, error, -nats),
        Score("bits_per_dimension", bits, "bits/dim", "lower", n, bits_error, shares(nats / math.log(2), sizes)),
    ]
