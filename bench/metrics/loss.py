"""The family's own objective on the held-out items."""

import numpy as np
import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, per_item, ratio, shares

NEEDS = ("network", "objective")


@torch.inference_mode()
def loss(evaluation: Evaluation) -> list[Score]:
    """Mean of what training minimises, on the test split, with noise that is the same for every approach.

    Per token in nats where the family has a likelihood (the end of a text included) or a pseudo-likelihood (masked
    tokens alone); the bound per dimension in nats for a VAE, its KL times ``beta``; else the mean squared error of its
    predictions. The standard error takes the items as independent,
    not their tokens.
    """
    model, generator = evaluation.model, evaluation.generator()
    losses, units = [], []
    for rows in batches(evaluation):
        batch = model.draw(rows, generator)
        outputs = model(batch)
        for row in range(len(outputs)):
            one = {name: value[row : row + 1] for name, value in batch.items()}
            count = model.units(one)
            losses.append(float(model.loss(one, outputs[row : row + 1])) * count if count else 0.0)
            units.append(count)
    sums, counts = (per_item(evaluation, np.array(found)) for found in (losses, units))
    value, error = ratio(sums, counts)
    bound = "likelihood_bound" in model.offers
    unit = "nats/token" if {"likelihood", "pseudo_likelihood"} & model.offers else "nats/dim" if bound else "mse"
    return [Score("test_loss", value, unit, "lower", len(evaluation.data.test), error, shares(sums, counts))]
