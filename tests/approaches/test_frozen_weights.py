"""What an approach freezes costs neither a gradient nor optimizer state."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models import EXEMPLARS, data_of, model_of, prepare, transfer_of

APPROACHES = ["adapter", "bitfit", "dora", "feature_extraction", "head_only", "ia3", "lora", "peft"]


@pytest.mark.parametrize("family", EXEMPLARS)
@pytest.mark.parametrize("approach", APPROACHES)
def test_a_step_leaves_nothing_with_frozen_weights(approach: str, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = dict[Tensor, dict[str, Tensor]]()
    step = torch.optim.AdamW.step

    def noting(optimizer: torch.optim.AdamW, *args: Any) -> object:
        done = step(optimizer, *args)
        state.update(optimizer.state)
        return done

    monkeypatch.setattr(torch.optim.AdamW, "step", noting)
    transfer = prepare(transfer_of(model_of(family), data_of(family), steps=1), approach)
    trainable = set(transfer.trainable())
    frozen = [weight for weight in transfer.model.parameters() if weight not in trainable]
    transfer.fit(1)
    assert frozen
    assert [weight for weight in frozen if weight.grad is not None] == []
    assert 0 < len(state) <= len(trainable)
    assert state.keys() <= trainable
