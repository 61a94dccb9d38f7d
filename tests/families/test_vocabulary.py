"""A network knows every token that a text can become, or the checkpoint is refused when it is loaded."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, CLIPTokenizer, PreTrainedTokenizerFast

from bench import plugins
from bench.checkpoints import inspection
from bench.errors import CheckpointError
from bench.families import _vocabulary
from bench.families.causal_lm import CausalLM
from bench.families.masked_lm import MaskedLM
from bench.suite.cell import ModelSpec
from tests.models import TRAINED, model_of, network, saved
from tests.small.masked_lm import network as masked_network

LANGUAGE = [name for name in TRAINED if "tasks" in plugins.find("families", name).constants["CHECKPOINT"]]


def load(family: str, folder: Path) -> Any:
    kind = plugins.find("families", family).load()
    return kind.from_checkpoint(str(folder), revision=None, trust_remote_code=False)


@pytest.mark.parametrize("family", LANGUAGE)
def test_a_token_that_was_added_and_a_network_that_was_not_resized(family: str, tmp_path: Path) -> None:
    folder = saved(model_of(family), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["river0"])
    tokenizer.save_pretrained(folder)
    known, index = len(tokenizer) - 1, len(tokenizer) - 1
    said = f"checkpoint {folder}: its tokenizer has the token 'river0' with the id {index}, the network knows {known}"
    with pytest.raises(CheckpointError) as caught:
        load(family, folder)
    assert str(caught.value).startswith(f"{said} tokens; take its own tokenizer, take that token out, or resize")
    spec = ModelSpec(family=family, checkpoint=str(folder), fingerprint="x")
    assert f"checkpoint {folder}: {inspection.fault(spec, folder)}" == str(caught.value), "and so does plan"


@pytest.mark.parametrize("family", LANGUAGE)
def test_a_mark_that_no_text_becomes_does_no_harm(family: str, tmp_path: Path) -> None:
    """Such as that of images in the tokenizer of Gemma 3, whose network of texts does not know it."""
    folder = saved(model_of(family), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    model = load(family, folder)
    ids = _vocabulary.words(model.tokenizer)
    assert max(ids) < _vocabulary.rows(model.network)
    read = model.tokenizer("an <image> here", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert set(read) <= set(ids) | {model.tokenizer.unk_token_id}
    assert inspection.fault(ModelSpec(family=family, checkpoint=str(folder), fingerprint="x"), folder) == ""


def test_captions_become_marks_too(tmp_path: Path) -> None:
    folder = saved(model_of("text_to_image"), tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
    tokenizer.add_tokens(["<river>"], special_tokens=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    with pytest.raises(CheckpointError, match=r"its tokenizer has the token '<river>' with the id \d+, the network"):
        load("text_to_image", folder)


def test_a_caption_s_added_word_is_told_by_plan(tmp_path: Path) -> None:
    folder = saved(model_of("text_to_image"), tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
    tokenizer.add_tokens(["river0"])
    tokenizer.save_pretrained(folder / "tokenizer")
    spec = ModelSpec(family="text_to_image", checkpoint=str(folder), fingerprint="x")
    assert "its tokenizer has the token 'river0'" in inspection.fault(spec, folder)


def gapped(last: int) -> PreTrainedTokenizerFast:
    """Three words and two marks; the last word has an id far from the others'."""
    words = {"</s>": 0, "<mask>": 1, "?": 2, "a": 3, "b": last}
    made = Tokenizer(models.WordLevel(words, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="</s>", eos_token="</s>", pad_token="</s>", mask_token="<mask>"
    )


@pytest.mark.parametrize(("last", "fits"), [(49, True), (50, False)])
def test_ids_with_gaps_count_by_the_last(last: int, fits: bool) -> None:
    """There are five tokens either way."""
    tokenizer = gapped(last)
    assert len(tokenizer) == tokenizer.vocab_size == 5
    causal = CausalLM(network(vocab_size=50), tokenizer)
    masked = MaskedLM(masked_network(vocab_size=50), tokenizer)
    for model in (causal, masked):
        if fits:
            model.check("here")
        else:
            with pytest.raises(CheckpointError, match="here: its tokenizer has the token 'b' with the id 50, the netw"):
                model.check("here")


def test_a_masked_model_draws_what_a_text_can_hold_and_nothing_else() -> None:
    allowed = ~MaskedLM(masked_network(vocab_size=50), gapped(49)).forbidden
    assert allowed.nonzero().flatten().tolist() == [2, 3, 49]
