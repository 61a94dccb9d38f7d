"""Language models of many architectures, none of which is named in the code that has to cope with them."""

from pathlib import Path

import pytest
import torch
from torch import nn

from bench import plugins
from bench.errors import NotApplicable
from bench.families.causal_lm import CausalLM
from bench.suite import composition
from tests.models import (
    ARCHITECTURES,
    CONTEXT,
    batch_of,
    fitted,
    language_model,
    network,
    outputs,
    pool_of,
    prepare,
    same,
    source_texts,
    texts,
    tokenizer,
    transfer_of,
    weights,
)

ALL = pytest.mark.parametrize("kind", ARCHITECTURES)


def parameters(parts: list[nn.Module]) -> set[nn.Parameter]:
    return {parameter for part in parts for parameter in part.parameters()}


@ALL
def test_blocks_are_all_the_weights_from_input_to_output(kind: str) -> None:
    model = language_model(kind)
    blocks = model.blocks()
    assert len(blocks) == 6, "the embeddings, four layers, the head"
    assert parameters(blocks) == set(model.network.parameters())
    embeddings = model.network.get_input_embeddings().weight
    assert embeddings in parameters(blocks[:1])
    assert parameters(model.generating_end()) <= parameters(blocks[-1:])
    layers = [parameters([block]) for block in blocks[1:-1]]
    assert all(one.isdisjoint(other) for one in layers for other in layers if one is not other)


@ALL
def test_padding_and_neighbours_change_nothing(kind: str) -> None:
    """A text alone, and the same text padded among longer ones: the same likelihood, and no look ahead."""
    model = language_model(kind)
    rows = model.encode(["Short.", "The number 17 follows 16 and so on, and on, and on."])
    with torch.no_grad():
        alone, count = model.nll(model.collate(rows, torch.tensor([0])))
        together, counts = model.nll(model.collate(rows, torch.arange(len(rows["item"]))))
    assert count == counts[0]
    assert float(together[0]) == pytest.approx(float(alone), rel=1e-5)


@ALL
def test_student_is_smaller_and_generates_with_a_cache(kind: str) -> None:
    model = language_model(kind)
    before = weights(model)
    student = model.student().eval()
    assert len(student.blocks()) == 4, "two of four layers"
    assert len(parameters(student.blocks()) & set(model.parameters())) == 0, "nothing is shared with the teacher"
    assert student.network.config.get_text_config().num_hidden_layers == 2
    assert torch.isfinite(outputs(student, texts())).all()
    batch = batch_of(student, texts())
    prompt = batch["input_ids"][:, :5]
    with torch.no_grad():
        quick, slow = (
            student.network.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=4, use_cache=cached
            )
            for cached in (True, False)
        )
    assert torch.equal(quick, slow), "a layer that looks into another's cache would say something else"
    assert same(before, weights(model)), "the teacher stays as it was"


_TURNS = 12


@ALL
@pytest.mark.parametrize("shift", [0, pytest.param(_TURNS // 2, marks=pytest.mark.whole)])
def test_a_folder_of_any_architecture_runs_every_applicable_approach(kind: str, shift: int, tmp_path: Path) -> None:
    network(kind).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)

    def load() -> CausalLM:
        options = {"context": CONTEXT, "max_new_tokens": 4}
        return CausalLM.from_checkpoint(str(tmp_path), revision=None, trust_remote_code=False, **options)

    assert torch.equal(outputs(load(), texts()), outputs(language_model(kind), texts()))
    family, known = plugins.find("families", "causal_lm"), plugins.names("approaches")
    # each kind has its turn with some of them, each of them with some
    turn = (list(ARCHITECTURES).index(kind) + shift) % _TURNS
    for approach in {"full_finetuning", "lora", *known[turn::_TURNS]}:
        parts = [plugins.find("approaches", approach)]
        if composition.inapplicable(parts, family, also=("source",)):
            continue
        transfer = transfer_of(
            load(), texts(), steps=8, learning_rate=1e-2, source=source_texts(), pool=pool_of("causal_lm")
        )
        try:
            prepare(transfer, approach)
        except NotApplicable as end:
            assert len(str(end).split()) > 3  # noqa: PT017 - that it ends so is for the contract test to judge
            continue
        before = weights(transfer.model)
        model = fitted(transfer).model
        assert same(before, weights(model)) == (transfer.steps == 0), approach
        batch = batch_of(model, transfer.data)
        with torch.inference_mode():
            assert len(model.decode(model.sample(batch, torch.Generator().manual_seed(0)))) == 4


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_fresh_model_is_tied_where_the_pretrained_is(kind: str, tied: bool) -> None:
    model = language_model(kind, sizes={"tie_word_embeddings": tied})
    for each in (model, model.fresh(), model.student()):
        embeddings, head = each.network.get_input_embeddings().weight, each.network.get_output_embeddings().weight
        assert (embeddings is head) == tied


def test_a_student_keeps_every_kind_of_layer() -> None:
    """Alternating kinds: leaving out every other layer would leave one kind alone."""
    student = language_model("qwen3_next").student()
    assert student.network.config.layer_types == ["linear_attention", "full_attention"]


def test_layers_are_found_where_the_configuration_speaks_of_others() -> None:
    """An encoder-decoder's configuration says how deep the encoder is; the decoder alone is used."""
    model = language_model("bart", sizes={"encoder_layers": 2})
    assert model.network.config.num_hidden_layers == 2
    assert len(model.blocks()) == 6
