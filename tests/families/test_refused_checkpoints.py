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
from transformers import BertConfig, BertForPreTraining, GPT2DoubleHeadsModel, PreTrainedModel

from bench import plugins
from bench.checkpoints import extent, inspection
from bench.errors import CheckpointError
from bench.families.causal_lm import CausalLM
from bench.families.diffusion import Diffusion
from bench.suite.cell import ModelSpec
from bench.training import pretrained
from tests.models import TRAINED, data_of, language_model, model_of, network, saved, small, texts, tokenizer, unet


def spec(family: str, folder: Path) -> ModelSpec:
    return ModelSpec(family=family, checkpoint=str(folder), fingerprint="made", options=small(family).OPTIONS)


def refused(family: str, folder: Path) -> str:
    """What is said of a checkpoint when a run loads it: one line that names it and ends with a remedy."""
    with pytest.raises(CheckpointError) as caught:
        pretrained.load(spec(family, folder))
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"checkpoint {folder}: ")
    assert "; " in said, "what to do about it"
    return said


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
            said = refused(family, folder)
            assert inspection.fault(spec(family, folder), folder), "plan says it, without torch"
            assert len(said.replace(str(folder), "")) < 300
            assert f"or take family {alike_to(other)}" in said
            with pytest.raises(CheckpointError, match=str(folder)) as caught:  # nor does the library take it
                plugins.find("families", family).load().from_checkpoint(
                    str(folder), revision=None, trust_remote_code=False
                )
            assert "\n" not in str(caught.value)
            assert "; " in str(caught.value)


def alike_to(family: str) -> str:
    """The families that would take a checkpoint of one."""
    return {"causal_lm": "causal_lm or molecules", "vae": "autoencoder or vae"}.get(family, family)


def test_pictures_of_sound_are_not_pictures(tmp_path: Path) -> None:
    folder = saved(model_of("audio"), tmp_path)
    assert refused("diffusion", folder).endswith("or take family audio")
    with pytest.raises(CheckpointError, match=r"its pictures are of sound \(stft\); name family audio"):
        Diffusion.from_checkpoint(str(folder), revision=None, trust_remote_code=False)


@pytest.mark.parametrize("family", TRAINED)
def test_a_checkpoint_that_lacks_a_weight(family: str, tmp_path: Path) -> None:
    """Loaded as a run loads it: no cell is to find out."""
    folder = saved(model_of(family), tmp_path)
    sizes = {path: path.stat().st_size for path in folder.rglob("*.safetensors")}
    largest = max(sizes, key=sizes.__getitem__)
    weights = load_file(largest)
    del weights[max(weights, key=lambda name: weights[name].numel())]
    save_file(weights, largest, {"format": "pt"})
    refused(family, folder)


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
    ("spoil", "said", "planned"),
    [
        (text_no_weights, "it holds no weights", True),
        (text_pickle_only, r"pickle weights only \(pytorch_model.bin\), which can run code; save", True),
        (text_cut_short, r"model.safetensors is cut off: \d+ of \d+ bytes are there; download", True),
        (no_tokenizer, "it has no tokenizer; save its tokenizer beside the weights", True),
        (no_config, "it holds neither a config.json nor a model_index.json, and family causal_lm takes", True),
        (another_tokenizer, r"with the id \d+, the network knows 50 tokens; take its own", True),
        (other_shapes, "size", False),
        (no_head, "no weights for lm_head", False),
        (sees_ahead, "not causal.*is_decoder", False),
        (an_encoder_decoder, "it holds a t5, and .* a causal language model .*or take family seq2seq", True),
        (code_of_its_own, "trust_remote_code", True),
    ],
)
def test_a_language_model_that_will_not_do(
    spoil: Callable[[Path], None], said: str, planned: bool, tmp_path: Path
) -> None:
    spoil(tmp_path)
    assert re.search(said, refused("causal_lm", tmp_path))
    assert bool(inspection.fault(spec("causal_lm", tmp_path), tmp_path)) == planned
    assert not (tmp_path / "ran").exists(), "no code that came with a checkpoint has run"


@pytest.mark.parametrize(
    "architecture",
    [{"model_type": "no_such_model"}, {"n_embd": "wide"}, {"n_embd": 10, "n_head": 3}, {"model_type": "t5"}],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        CausalLM.from_architecture(architecture, texts())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family", ["causal_lm", "masked_lm", "seq2seq"])
@pytest.mark.parametrize("size", ["512", -5, 512.5])
def test_a_vocabulary_of_no_size(family: str, size: Any) -> None:
    source = data_of(family)
    with pytest.raises(CheckpointError, match=r"^architecture .*: transformers cannot build it"):
        plugins.find("families", family).load().from_architecture({"vocab_size": size}, source)


@pytest.mark.parametrize("family", ["causal_lm", "masked_lm", "seq2seq", "diffusion"])
def test_a_network_beyond_the_memory_is_not_built(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted as the library has it, whatever the words of its config."""
    kind, folder = plugins.find("families", family).load(), saved(model_of(family), tmp_path)
    monkeypatch.setattr(extent, "_ANYWHERE", 0)
    monkeypatch.setattr(extent, "_memory", lambda: 100)
    with pytest.raises(CheckpointError, match=r"its weights take .* and this machine has 0 GB of memory; name"):
        kind.from_architecture({}, data_of(family))
    if family != "diffusion":
        with pytest.raises(CheckpointError, match=r"its weights take .* and this machine has 0 GB of memory; name"):
            kind.from_checkpoint(str(folder), revision=None, trust_remote_code=False)


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


def test_a_u_net_that_does_not_run_is_not_pretrained() -> None:
    sizes = {"block_out_channels": [8, 8], "norm_num_groups": 4, "sample_size": 33}
    blocks = {"down_block_types": ["DownBlock2D"] * 2, "up_block_types": ["UpBlock2D"] * 2}
    with pytest.raises(CheckpointError, match=r"^architecture .*: its network does not run on data of 1×33×33"):
        Diffusion.from_architecture(sizes | blocks, data_of("diffusion"))


def scheduled(**sizes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = saved(unet(), folder) / "scheduler" / "scheduler_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | sizes))

    return spoil


def odd_sides(folder: Path) -> None:
    path = saved(unet(), folder) / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_size": 33}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            odd_sides,
            r"does not run on data of 1×33×33 \(Sizes of tensors must .*; give it another sample_size",
        ),
        (
            scheduled(trained_betas=[0.1, 0.2]),
            r"its scheduler has 2 betas for \d+ num_train_timesteps; give it one",
        ),
        (
            scheduled(beta_start=-5.0),
            "its scheduler's betas lie from -5 to 0.02; they are shares of noise, from 0",
        ),
        (scheduled(num_train_timesteps=0), "num_train_timesteps: 0 is no size; ask for 1 or more"),
    ],
)
def test_a_diffusion_model_that_does_not_run(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    """Told once, when it is prepared, rather than by each of its cells."""
    spoil(tmp_path)
    assert re.search(said, refused("diffusion", tmp_path))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unet_pickle_only, r"pickle weights only \(diffusion_pytorch_model.bin\)"),
        (unet_no_weights, "it holds no weights"),
        (no_index, "nor a model_index.json, and family diffusion takes a DDPMPipeline"),
        (unet_cut_short, "its diffusion_pytorch_model.safetensors is cut off"),
        (labels, "its unet says num_class_embeds: 10, and family diffusion takes .* an unconditional"),
        (learned_variance, "its unet says out_channels: 2 beside in_channels: 1"),
        (no_size, "its unet says no sample_size in its config.json; set sample_size there"),
        (needs_a_prompt, "its unet is a UNet2DConditionModel"),
        (another_process, "its scheduler is a ScoreSdeVeScheduler"),
        (unknown_prediction, 'its scheduler says prediction_type: "flow"'),
    ],
)
def test_a_diffusion_model_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    assert re.search(said, refused("diffusion", tmp_path))
    assert inspection.fault(spec("diffusion", tmp_path), tmp_path), "plan says each of them, without torch"


# Weights of another network than the config's -------------------------------------------------------------------------


def changed(folder: Path, part: str = "", **sizes: Any) -> None:
    path = folder / part / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | sizes))


def fewer_layers(folder: Path) -> None:
    changed(saved(language_model(), folder), n_layer=1)


def fewer_layers_of_a_body(folder: Path) -> None:
    fewer_layers(folder)
    network().transformer.save_pretrained(folder)
    changed(folder, n_layer=1)


def another_width(folder: Path) -> None:
    changed(saved(language_model(), folder), n_inner=20)


def fewer_layers_to_start_from(folder: Path) -> None:
    network("bert").save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    changed(folder, num_hidden_layers=1, is_decoder=False, architectures=["BertForMaskedLM"])


def simpler_blocks(folder: Path) -> None:
    DDPMPipeline(UNet2DModel(**dict(unet().network.config) | {"layers_per_block": 2}), unet().noise).save_pretrained(
        folder
    )
    changed(folder, "unet", layers_per_block=1)


def no_middle(folder: Path) -> None:
    changed(saved(unet(), folder), "unet", mid_block_type=None)


@pytest.mark.parametrize(
    ("family", "spoil", "said"),
    [
        ("causal_lm", fewer_layers, r"3. weights have no place in the network of its config.json \(.*h\.1\..*\); set"),
        ("causal_lm", fewer_layers_of_a_body, r"3. weights have no place in .* \(h\.1\."),
        ("causal_lm", another_width, r"its transformer\.h\.0\.mlp\.c_fc\.bias is 64 in its file and 20 by its config"),
        ("seq2seq", fewer_layers_to_start_from, r"48 weights have no place .*\(bert\.encoder\.layer\.1\."),
        ("diffusion", no_middle, r"\d+ weights have no place in the network of its unet's config.json \(mid_block"),
        ("diffusion", simpler_blocks, "its unet's up_blocks.* in its file and .* by its config.json .*; set the sizes"),
    ],
)
def test_weights_of_another_network_than_the_config_s(
    family: str, spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    """Libraries leave out in silence what they have no place for."""
    spoil(tmp_path)
    assert re.search(said, refused(family, tmp_path))


def pretraining(**config: Any) -> PreTrainedModel:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_hidden_layers": 2}
    return BertForPreTraining(BertConfig(vocab_size=len(tokenizer()), **sizes | config))


def two_heads() -> PreTrainedModel:
    return GPT2DoubleHeadsModel(network().config)


@pytest.mark.parametrize(
    ("family", "saved_as"), [("masked_lm", pretraining), ("seq2seq", pretraining), ("causal_lm", two_heads)]
)
def test_a_head_for_another_task_may_be_there(
    family: str, saved_as: Callable[[], PreTrainedModel], tmp_path: Path
) -> None:
    """As BERT is distributed: with a pooler, and a head for the next sentence."""
    saved_as().save_pretrained(tmp_path)
    known = tokenizer()
    known.mask_token = known.eos_token
    known.save_pretrained(tmp_path)
    assert pretrained.load(spec(family, tmp_path)).offers


def test_masks_that_were_once_saved_beside_the_weights_may_be_there(tmp_path: Path) -> None:
    path = saved(language_model(), tmp_path) / "model.safetensors"
    save_file(load_file(path) | {"transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}, path, {"format": "pt"})
    assert pretrained.load(spec("causal_lm", tmp_path)).offers


def test_a_bias_that_the_config_s_layers_have_not_is_missed(tmp_path: Path) -> None:
    path = saved(language_model(), tmp_path) / "model.safetensors"
    save_file(load_file(path) | {"lm_head.bias": torch.zeros(4)}, path, {"format": "pt"})
    assert "one weight has no place in the network of its config.json (lm_head.bias)" in refused("causal_lm", tmp_path)


@pytest.mark.parametrize("family", TRAINED)
def test_weights_that_are_no_numbers(family: str, tmp_path: Path) -> None:
    """Said as such, before anything is made of what the network answers."""
    folder = saved(model_of(family), tmp_path)
    path = max(folder.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    weights = load_file(path)
    name = max(weights, key=lambda name: weights[name].numel())
    weights[name].view(-1)[0] = torch.nan
    save_file(weights, path, {"format": "pt"})
    assert re.search("its .* holds NaN or infinity; name a checkpoint from before", refused(family, folder))
