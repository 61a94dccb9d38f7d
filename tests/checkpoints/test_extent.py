"""How large a network a config asks for: no real one is refused, and no absurd one is built."""

import contextlib
import inspect
from typing import Any

import psutil
import pytest
import yaml
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet1DModel, UNet2DConditionModel, UNet2DModel
from transformers import CONFIG_MAPPING

from bench import plugins
from bench.checkpoints import extent
from bench.errors import CheckpointError, Unusable
from bench.suite import loading
from bench.suite.cell import DatasetSpec, ModelSpec, Recipe
from bench.training import pretrained

REAL: dict[str, dict[str, Any]] = {
    "llama-3.1-405b": {
        "hidden_size": 16384,
        "intermediate_size": 53248,
        "num_hidden_layers": 126,
        "vocab_size": 128256,
    },
    "llama-4-scout": {
        "text_config": {"hidden_size": 5120, "max_position_embeddings": 10485760, "num_local_experts": 16}
    },
    "deepseek-v3": {"hidden_size": 7168, "n_routed_experts": 256, "num_hidden_layers": 61, "rope_theta": 10000},
    "xlm-v": {"hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 901629, "eos_token_id": 2},
    "stable-diffusion": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "sample_size": 64},
    "dance-diffusion": {"block_out_channels": [512] * 12, "_class_name": "UNet1DModel", "sample_size": 131072},
    "stylegan2": {"channel_base": 32768, "channel_max": 512, "img_resolution": 1024, "w_dim": 512, "mapping_layers": 8},
    "albert-xxlarge": {"hidden_size": 4096, "embedding_size": 128, "num_hidden_layers": 12, "vocab_size": 30000},
    "deepnet": {"hidden_size": 512, "num_hidden_layers": 1000, "layer_norm_eps": 1e-5, "id2label": {"0": "a"}},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of two terabytes."""
    monkeypatch.setattr(extent, "_memory", lambda: 1 << 41)


@pytest.mark.parametrize("name", REAL)
def test_real_networks_are_not_refused(name: str, server: None) -> None:
    extent.check(REAL[name])


def test_nor_are_those_of_our_suites() -> None:
    for path in loading.available():
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"].values():
            extent.check(model.get("recipe", {}).get("architecture", {}))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"n_embd": 10_000_000}, "n_embd: 10000000 is wider than any network"),
        ({"hidden_size": 10**400}, "hidden_size: 1000000000000000000 is wider"),
        ({"n_layer": 1_000_000, "n_embd": 16}, "n_layer: 1000000 is deeper than any network"),
        ({"num_hidden_layers": 1e6}, "num_hidden_layers: 1000000 is deeper"),
        ({"encoder": {"num_layers": 10**6}}, "encoder.num_layers: 1000000 is deeper"),
        ({"unet": {"block_out_channels": [8, 10**7]}}, "unet.block_out_channels: 10000000 is wider"),
        ({"block_out_channels": [8] * 20_000}, "block_out_channels: 20000 stages are too many"),
        ({"layers_per_block": 10**6}, "layers_per_block: 1000000 is deeper"),
        ({"latent_dim": 10**7}, "latent_dim: 10000000 is wider"),
        ({"channel_base": 10**7}, "channel_base: 10000000 is wider"),
        ({"max_position_embeddings": 10**12}, "max_position_embeddings: 1000000000000 is longer than any network"),
        ({"n_positions": 3 * 10**7, "n_embd": 32768}, "its weights take"),
        ({"z_dim": 10**7}, "z_dim: 10000000 is wider"),
        ({"residual_blocks": 10**6}, "residual_blocks: 1000000 is deeper"),
        ({"n_embd": 1_000_000}, r"its weights take 3,725 GB at least, and this machine has 2,048 GB of memory"),
        ({"vocab_size": 3 * 10**7, "hidden_size": 32768}, "its weights take"),
        ({"n_layer": 1_999, "n_embd": 50_000}, "its weights take"),
        ({"base_channels": 8, "downsamplings": 40}, "its weights take"),
        ({"text_encoder": {"hidden_size": 900_000}}, "its weights take"),
        ({"hidden_size": 8192, "intermediate_size": 16384, "num_local_experts": 16_000}, "its weights take"),
        ({"vocab_size": 10**12}, "vocab_size: 1000000000000 is more tokens than any network knows"),
        ({"type_vocab_size": 10**9}, "type_vocab_size: 1000000000 is more tokens"),
        ({"max_position_embeddings": 10**9, "hidden_size": 32}, "max_position_embeddings: 1000000000 is longer"),
        ({"n_layer": 9_999, "n_embd": 64}, "n_layer: 9999 is deeper"),
        ({"num_hidden_groups": 10**6}, "num_hidden_groups: 1000000 is deeper"),
        ({"num_local_experts": 10**6}, "num_local_experts: 1000000 has more experts than any network"),
        ({"time_step_rank": 10**9}, "time_step_rank: 1000000000 is more than any network has"),
        ({"scheduler": {"num_train_timesteps": 10**10}}, "scheduler.num_train_timesteps: 10000000000 is more than"),
        ({"kernel_size": 10**9}, "kernel_size: 1000000000 is more than any network has"),
        ({"sample_size": 10**6}, "sample_size: 1000000 is more than the side of any picture"),
        ({"_class_name": "UNet1DModel", "sample_size": 10**9}, "sample_size: 1000000000 is longer"),
    ],
)
def test_what_no_machine_holds_is_refused(asked: dict[str, Any], said: str, server: None) -> None:
    with pytest.raises(Unusable, match=said) as caught:
        extent.check(asked)
    assert caught.value.remedy.startswith("ask for ")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("n_layer", -3, "n_layer: -3 is no size; ask for 1 or more"),
        ("n_layer", True, "n_layer: true is no whole number; write one"),
        ("sample_size", -5, "sample_size: -5 is no size"),
        ("sample_size", "32", 'sample_size: "32" is no whole number'),
        ("sample_size", [32, 0], "sample_size: 0 is no size"),
        ("vocab_size", "512", 'vocab_size: "512" is no whole number'),
        ("vocab_size", 512.5, "vocab_size: 512.5 is no whole number"),
        ("num_train_timesteps", 0, "num_train_timesteps: 0 is no size"),
        ("block_out_channels", [8, None], "block_out_channels: null is no whole number"),
    ],
)
def test_a_size_is_a_whole_number_above_zero(key: str, value: Any, said: str) -> None:
    for asked, where in (({key: value}, ""), ({"text_config": {key: value}}, "text_config.")):
        with pytest.raises(Unusable) as caught:
            extent.check(asked)
        assert f"{caught.value.problem}; {caught.value.remedy}".startswith(where + said)


def test_no_library_s_own_config_is_refused(server: None) -> None:
    """Every type of model that transformers has, as it is by default, and the parts of diffusers that families load."""
    for name in CONFIG_MAPPING:
        known: dict[str, Any] = {}
        with contextlib.suppress(Exception):  # a few are made of others, which they ask for
            known = CONFIG_MAPPING[name]().to_dict()
        extent.check(known, f"{name}: ")
    for kind in (UNet1DModel, UNet2DModel, UNet2DConditionModel, AutoencoderKL, DDPMScheduler, DDIMScheduler):
        said = {name: entry.default for name, entry in inspect.signature(kind).parameters.items()}
        extent.check({"_class_name": kind.__name__} | said, f"{kind.__name__}: ")


def test_the_limit_is_the_machine_s_memory() -> None:
    assert extent._memory() == psutil.virtual_memory().total + psutil.swap_memory().total


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    ("family", "architecture", "source"),
    [
        ("causal_lm", {"n_embd": 10_000_000}, "python_reference"),
        ("seq2seq", {"num_layers": 1_000_000}, "number_words"),
        ("diffusion", {"block_out_channels": [10_000_000]}, "glyphs"),
        ("vae", {"latent_dim": 10_000_000}, "glyphs"),
        ("gan", {"kind": "dcgan", "channel_max": 10_000_000, "channel_base": 10_000_000}, "glyphs"),
        ("text_to_image", {"text_encoder": {"num_hidden_layers": 1_000_000}}, "captioned_shapes"),
    ],
)
def test_nothing_is_built_of_it(
    family: str, architecture: dict[str, Any], source: str, trained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: Any, **__: Any) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr(plugins.find("families", family).load(), "from_architecture", build)
    recipe = Recipe(architecture=architecture, source=DatasetSpec(name=source), steps=1)
    with pytest.raises(CheckpointError, match=r"^architecture: .* is (wider|deeper) than any network; ask for"):
        pretrained.load(ModelSpec(family=family, recipe=recipe), trained=trained)
