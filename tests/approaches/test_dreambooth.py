"""A rare word for the target, and the pretrained model's pictures of plain captions beside it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.dataset import Columns
from bench.errors import NotApplicable, PluginError
from bench.model import Batch
from bench.transfer import Transfer
from tests.models import fitted, prepare, same, transfer_of, weights
from tests.small.text_to_image import data, model


def transfer_in(approach: str = "dreambooth", steps: int = 3, **options: Any) -> Transfer:
    known = transfer_of(model(), data(), steps=steps, validations=1)
    return prepare(known, approach, dreambooth={"class_images": 6} | options)


class Heard:
    """The captions of each pass of a training, and the losses of what was passed."""

    def __init__(self, transfer: Transfer) -> None:
        self.captions, self.images = list[list[str]](), list[Tensor]()
        made: Any = transfer.model
        forward = type(made).forward

        def listen(batch: Batch) -> Tensor:
            if made.training:
                plain = {"skip_special_tokens": True}
                self.captions.append(made.tokenizer.batch_decode(batch["caption_ids"].tolist(), **plain))
                self.images.append(batch["images"])
            found: Tensor = forward(made, batch)
            return found

        made.forward = listen


def test_the_target_has_the_rare_word_and_what_is_preserved_has_not() -> None:
    transfer = transfer_in()
    transfer.model.options["caption_dropout"] = 0.0  # type: ignore[operator, index]
    heard = Heard(transfer)
    fitted(transfer)
    assert len(heard.captions) == 6, "three steps, each with a second batch"
    for target, preserved in zip(heard.captions[::2], heard.captions[1::2], strict=True):
        assert all(caption.startswith("sks a disc of light") for caption in target)
        assert all(caption.startswith("a disc of light") for caption in preserved)
        assert len(target) == len(preserved) == 4
    assert transfer.examples == 2 * 3 * 4, "what is preserved is counted"
    assert transfer.taken == 3


def test_what_is_preserved_are_samples_of_the_pretrained_model() -> None:
    transfer = transfer_in(class_caption="one bar", steps=4)
    heard = Heard(transfer)
    fitted(transfer)
    pretrained = model()
    examples = data().train
    assert isinstance(examples, Columns)
    asked = pretrained.encode(Columns({"caption": ["one bar"] * 6, "images": examples["images"][:6]}))
    generator, drawn = torch.Generator().manual_seed(70_000), []
    with torch.no_grad():
        for part in torch.arange(6).split(4):
            drawn.append(pretrained.sample(pretrained.collate(asked, part), generator))
    known = pretrained.encode(pretrained.decode(pretrained.join(drawn)))
    wanted = pretrained.collate(known, torch.arange(6))["images"]
    for images in heard.images[1::2]:
        assert all(any(torch.allclose(image, other) for other in wanted) for image in images)
    assert {caption for captions in heard.captions[1::2] for caption in captions} <= {"one bar", ""}


def test_the_loss_is_the_targets_and_the_weighted_one_of_what_is_preserved() -> None:
    losses = []
    for weight in (0.0, 0.5, 1.0):
        transfer = transfer_in(prior_weight=weight, steps=1)
        fitted(transfer)
        losses.append(next(row["train_loss"] for row in transfer.curve if "train_loss" in row))
    own, half, whole = losses
    assert whole - own == pytest.approx(2 * (half - own), rel=1e-4)
    assert half > own


def test_without_preservation_nothing_is_made_up() -> None:
    transfer = transfer_in(prior_weight=0.0)
    heard = Heard(transfer)
    fitted(transfer)
    assert len(heard.captions) == 3
    assert transfer.examples == 12
    assert not transfer.stages


def test_samples_are_asked_for_with_the_rare_word() -> None:
    transfer = fitted(transfer_in())
    rows: Any = transfer.model.encode(transfer.data.test)["caption_ids"]
    word = transfer.model.tokens("sks")
    assert rows[:, 1 : 1 + len(word)].tolist() == [word] * len(rows)


def test_with_low_rank_updates_only_these_train() -> None:
    transfer = fitted(transfer_in("lora + dreambooth"))
    known = {
        name.replace("base_layer.", ""): value for name, value in weights(transfer.model).items() if "lora" not in name
    }
    assert same(known, weights(model()))


def test_a_rare_word_of_nothing_is_refused() -> None:
    with pytest.raises(PluginError, match="option 'identifier': ' ' will not do"):
        transfer_in(identifier=" ")


def test_a_model_that_is_gone_has_nothing_to_preserve() -> None:
    with pytest.raises(NotApplicable, match="new weights stand in place"):
        prepare(prepare(transfer_of(model(), data()), "from_scratch"), "dreambooth")
