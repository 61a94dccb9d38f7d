"""How well a model of molecules predicts the held-out ones."""

import numpy as np
import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, per_item, ratio, shares
from bench.metrics._round_trip import round_trip

NEEDS = ("molecule", "likelihood")
PRIMARY = "nats_per_molecule"


@torch.inference_mode()
def smiles_likelihood(evaluation: Evaluation) -> list[Score]:
    """Negative log-likelihood of the test split's SMILES, the end of each included: per molecule and per token.

    Per molecule it compares any two models whose tokenizers lose nothing; per token it compares models of one
    tokenizer. ``unrestored`` is the share of the SMILES' bytes that the tokenizer does not give back, such as atoms
    that it does not know. Standard errors take the molecules as independent, not their tokens.

    Paper: Arús-Pous et al. (2019), Exploring the GDB-13 chemical space using deep generative models (NLL).
    """
    each = [evaluation.model.nll(batch) for batch in batches(evaluation)]
    nats, tokens = (per_item(evaluation, torch.cat(parts).cpu().numpy()) for parts in zip(*each, strict=True))
    n = len(nats)
    molecule, molecule_error = ratio(nats, np.ones(n))
    token, token_error = ratio(nats, tokens)
    return [
        Score("nats_per_molecule", molecule, "nats/molecule", "lower", n, molecule_error, nats),
        Score("nats_per_token", token, "nats/token", "lower", n, token_error, shares(nats, tokens)),
        *round_trip(evaluation, evaluation.data.test),
    ]
