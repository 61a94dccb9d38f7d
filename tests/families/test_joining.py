"""Batches that become one: what a mixture of domains is trained on."""

import pytest
import torch

from bench.dataset import Dataset
from bench.model import Batch, Model
from tests.models import data_of, language_model, model_of, source_of, texts, unet


def batch_of(model: Model, data: Dataset, rows: list[int]) -> Batch:
    return model.collate(model.encode(data.train), torch.tensor(rows))


@pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
def test_joined_rows_are_what_they_were_and_items_of_their_own(family: str) -> None:
    model = model_of(family)
    one, other = batch_of(model, data_of(family), [0, 1, 1]), batch_of(model, source_of(family), [4, 5])
    joined = model.join([one, other])
    assert joined["item"].tolist() == [0, 1, 2, 3, 4]
    own = [batch | {"item": torch.arange(len(batch["item"]))} for batch in (one, other)]
    apart = [item for batch in own for item in model.decode(batch)]
    assert all(
        (a == b).all() if family == "diffusion" else a == b for a, b in zip(model.decode(joined), apart, strict=True)
    )


def test_the_loss_of_joined_texts_is_the_mean_over_all_their_tokens() -> None:
    """Also where one batch is wider than the other, and where only one has noise on what is read."""
    model = language_model(sizes={"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0})
    rows = model.encode(texts().train)
    short = int(rows["length"].argmin())
    narrow = model.collate(rows, torch.tensor([short, short]))
    wide = model.collate(rows, torch.tensor([0, 1, 2]))
    noisy = wide | {"targets": wide["input_ids"], "input_ids": wide["input_ids"].roll(1, dims=0)}
    assert narrow["input_ids"].shape[1] < wide["input_ids"].shape[1]
    for batches in ([narrow, wide], [wide, narrow], [narrow, noisy], [noisy, narrow], [noisy, noisy]):
        joined = model.join(batches)
        assert ("targets" in joined) == any("targets" in batch for batch in batches)
        with torch.no_grad():
            total = sum(float(model.loss(batch, model(batch))) * model.units(batch) for batch in batches)
            assert model.units(joined) == sum(model.units(batch) for batch in batches)
            assert float(model.loss(joined, model(joined))) == pytest.approx(total / model.units(joined), rel=1e-5)


def test_what_only_some_hold_is_left_out() -> None:
    images = torch.zeros(2, 1, 8, 8)
    joined = unet().join([{"images": images, "extra": images}, {"images": images}])
    assert joined.keys() == {"images", "item"}
    assert len(joined["images"]) == 4
