"""The moving average of weights, against its formula; and what the training loop makes of it."""

import torch

from bench.training.averaging import Average
from tests.models import data_of, fitted, model_of, transfer_of, weights


def test_follows_the_formula() -> None:
    weight = torch.zeros(2)
    average = Average([weight], decay=0.5)
    expected = 0.0
    for step in range(1, 30):
        weight.fill_(step)
        average.follow()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(average.values[0], torch.full((2,), expected))


def test_is_in_place_only_meanwhile() -> None:
    weight = torch.zeros(1)
    average = Average([weight], decay=0.9)
    weight.fill_(1.0)
    average.follow()
    with average.in_place():
        assert 0 < weight.item() < 1
    assert weight.item() == 1


def test_a_model_that_asks_for_it_ends_with_averaged_weights() -> None:
    """With a rate this high the plain weights run ahead of their average."""

    def trained(decay: float) -> dict[str, torch.Tensor]:
        model = model_of("diffusion")
        model.averaging = decay
        return weights(fitted(transfer_of(model, data_of("diffusion"), steps=6, learning_rate=1e-3)).model)

    start, plain, averaged = weights(model_of("diffusion")), trained(0.0), trained(0.99)
    moved, kept = (sum(float((end[n] - start[n]).square().sum()) for n in start) for end in (plain, averaged))
    assert 0 < kept < moved
