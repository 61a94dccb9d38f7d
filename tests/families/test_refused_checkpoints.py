"""Checkpoints that cannot be used: each gives one line that names the folder and the fault, and runs no code."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMPipeline, ScoreSdeVeScheduler, UNet2DConditionModel, UNet2DModel
from safetensors.torch import load_file, save_file

from bench import plugins, pretrained
from bench.cell import ModelSpec
from bench.errors import CheckpointError
from bench.families.causal_lm import CausalLM
from bench.families.diffusion import Diffusion
from bench.model import Model
from tests.models import TRAINED, language_model, model_of, network, saved, small, texts, tokenizer, unet


def load(family: type[Model], folder: Path) -> Model:
    return family.from_checkpoint(str(folder), revision=None, trust_remote_code=False)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Family to a checkpoint of it, in the layout of transformers, of a diffusers pipeline and of one of its models."""
    families = ("causal_lm", "diffusion", "vae")
    return {family: saved(model_of(family), tmp_path_factory.mktemp(family)) for family in families}


@pytest.mark.parametrize("family", TRAINED)
def test_a_checkpoint_of_another_family(family: str, others: dict[str, Path]) -> None:
    alike = {"molecules": "causal_lm", "autoencoder": "vae"}.get(family, family)  # these load the same networks
    for other, folder in others.items():
        if other != alike:
            with pytest.raises(CheckpointError) as caught:
                load(plugins.find("families", family).load(), folder)
            said = str(caught.value)
            assert str(folder) in said
            assert "\n" not in said
            assert len(said.replace(str(folder), "")) < 700
            assert "sentencepiece" not in said, "its tokenizer is not what is wrong with it"


def test_pictures_of_sound_are_not_pictures(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"its pictures are of sound \(stft\); name family audio"):
        load(Diffusion, saved(model_of("audio"), tmp_path))


@pytest.mark.parametrize("family", TRAINED)
def test_a_checkpoint_that_lacks_a_weight(family: str, tmp_path: Path) -> None:
    """Loaded as a run loads it: no cell is to find out."""
    folder = saved(model_of(family), tmp_path)
    sizes = {path: path.stat().st_size for path in folder.rglob("*.safetensors")}
    largest = max(sizes, key=sizes.__getitem__)
    weights = load_file(largest)
    del weights[max(weights, key=lambda name: weights[name].numel())]
    save_file(weights, largest, {"format": "pt"})
    spec = ModelSpec(family=family, checkpoint=str(folder), fingerprint="cut", options=small(family).OPTIONS)
    with pytest.raises(CheckpointError, match=re.escape(str(folder))) as caught:
        pretrained.load(spec)
    assert "\n" not in str(caught.value)


# Language models ------------------------------------------------------------------------------------------------------


def text_no_weights(folder: Path) -> None:
    saved(language_model(), folder)
    (folder / "model.safetensors").unlink()


def text_pickle_only(folder: Path) -> None:
    model = language_model()
    text_no_weights(folder)
    torch.save(model.network.state_dict(), folder / "pytorch_model.bin")


def text_cut_short(folder: Path) -> None:
    path = saved(language_model(), folder) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def no_tokenizer(folder: Path) -> None:
    network().save_pretrained(folder)


def no_config(folder: Path) -> None:
    saved(language_model(), folder)
    (folder / "config.json").unlink()


def another_tokenizer(folder: Path) -> None:
    network(vocab_size=50).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def other_shapes(folder: Path) -> None:
    config = json.loads((saved(language_model(), folder) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 20, "n_head": 2}))


def no_head(folder: Path) -> None:
    net = network(tie_word_embeddings=False)
    net.transformer.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def sees_ahead(folder: Path) -> None:
    network("bert", is_decoder=False).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def an_encoder_decoder(folder: Path) -> None:
    saved(language_model(), folder)
    (folder / "config.json").write_text('{"model_type": "t5"}')


def code_of_its_own(folder: Path) -> None:
    config = json.loads((saved(language_model(), folder) / "config.json").read_text())
    own = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config | own))
    (folder / "mine.py").write_text(f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (text_no_weights, "safetensors"),
        (text_pickle_only, "safetensors"),
        (text_cut_short, "not a causal language model"),
        (no_tokenizer, "its tokenizer knows no words"),
        (no_config, "not a causal language model"),
        (another_tokenizer, "the tokenizer has .* tokens, the network 50"),
        (other_shapes, "size"),
        (no_head, "no weights for lm_head"),
        (sees_ahead, "not causal.*is_decoder"),
        (an_encoder_decoder, "not a causal language model"),
        (code_of_its_own, "trust_remote_code"),
    ],
)
def test_a_language_model_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(CausalLM, tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "ran").exists(), "no code that came with a checkpoint has run"


@pytest.mark.parametrize(
    "architecture",
    [{"model_type": "no_such_model"}, {"n_embd": "wide"}, {"n_embd": 10, "n_head": 3}, {"model_type": "t5"}],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        CausalLM.from_architecture(architecture, texts())
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_start_or_end_is_refused() -> None:
    bare = tokenizer()
    bare.bos_token = bare.eos_token = bare.pad_token = None
    with pytest.raises(CheckpointError, match="bos or eos"):
        CausalLM(network(), bare)


# U-Nets ---------------------------------------------------------------------------------------------------------------


def unet_pickle_only(folder: Path) -> None:
    DDPMPipeline(unet().network, unet().noise).save_pretrained(folder, safe_serialization=False)


def unet_no_weights(folder: Path) -> None:
    (saved(unet(), folder) / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def no_index(folder: Path) -> None:
    (saved(unet(), folder) / "model_index.json").unlink()


def unet_cut_short(folder: Path) -> None:
    path = saved(unet(), folder) / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def labels(folder: Path) -> None:
    network = UNet2DModel(**dict(unet().network.config) | {"num_class_embeds": 10})
    DDPMPipeline(network, unet().noise).save_pretrained(folder)


def learned_variance(folder: Path) -> None:
    network = UNet2DModel(**dict(unet().network.config) | {"out_channels": 2})
    DDPMPipeline(network, unet().noise).save_pretrained(folder)


def no_size(folder: Path) -> None:
    network = UNet2DModel(**dict(unet().network.config) | {"sample_size": None})
    DDPMPipeline(network, unet().noise).save_pretrained(folder)


def needs_a_prompt(folder: Path) -> None:
    blocks = {"down_block_types": ("CrossAttnDownBlock2D",), "up_block_types": ("CrossAttnUpBlock2D",)}
    sizes = {"block_out_channels": (8,), "norm_num_groups": 4, "layers_per_block": 1, "cross_attention_dim": 8}
    network = UNet2DConditionModel(sample_size=8, **blocks, **sizes)
    DDPMPipeline(network, unet().noise).save_pretrained(folder)


def another_process(folder: Path) -> None:
    DDPMPipeline(unet().network, ScoreSdeVeScheduler()).save_pretrained(folder)


def unknown_prediction(folder: Path) -> None:
    path = saved(unet(), folder) / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": "flow"}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unet_pickle_only, "safetensors"),
        (unet_no_weights, "not a UNet2DModel"),
        (no_index, "model_index.json"),
        (unet_cut_short, "not a UNet2DModel"),
        (labels, "class-conditional"),
        (learned_variance, "1 channels in, 2 out"),
        (no_size, "sample_size"),
        (needs_a_prompt, "UNet2DConditionModel"),
        (another_process, "ScoreSdeVeScheduler does not add noise as DDPM does"),
        (unknown_prediction, "prediction_type 'flow'"),
    ],
)
def test_a_diffusion_model_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(Diffusion, tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
