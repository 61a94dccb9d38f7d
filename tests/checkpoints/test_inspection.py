"""What files and numbers tell of a model that will not do: without torch, with a remedy, all of it in one go."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from bench import __main__, plugins
from bench.checkpoints import extent, inspection, tensor_files
from bench.errors import Unusable
from bench.suite.cell import ModelSpec
from tests import plans, tiny

Files = dict[str, Any]
"""Path to what a file holds: a mapping as JSON, text or bytes as they are."""


def safetensors(values: int = 2) -> bytes:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * values)


WHOLE = safetensors()


def pipeline(kind: str, scheduler: str = "DDPMScheduler", **parts: str) -> Files:
    """A folder as diffusers saves it; each part as its class."""
    index = {"_class_name": kind, "scheduler": ["diffusers", scheduler]} | {
        n: ["diffusers", c] for n, c in parts.items()
    }
    found: Files = {"model_index.json": index, "scheduler/scheduler_config.json": {"_class_name": scheduler}}
    for name, part in parts.items():
        sizes = {"sample_size": 8, "in_channels": 3, "out_channels": 3} if name == "unet" else {}
        found[f"{name}/config.json"] = {"_class_name": part} | sizes
        found[f"{name}/diffusion_pytorch_model.safetensors"] = WHOLE
    return found


def language(kind: str, name: str = "", **more: Any) -> Files:
    """A folder as transformers saves it."""
    config = {"model_type": kind, "vocab_size": 3} | ({"architectures": [name]} if name else {}) | more
    words = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 2, "content": "</s>", "special": True}]}
    return {"config.json": config, "model.safetensors": WHOLE, "tokenizer.json": words}


def said(folder: Path, family: str, files: Files, **spec: Any) -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content) if isinstance(content, dict) else content
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return inspection.fault(ModelSpec(family=family, checkpoint=str(folder), fingerprint="x", **spec), folder)


DDPM = pipeline("DDPMPipeline", unet="UNet2DModel")
OLD = {"model_index.json": DDPM["model_index.json"], "scheduler_config.json": DDPM["scheduler/scheduler_config.json"]}
OLD |= {"config.json": DDPM["unet/config.json"], "diffusion_pytorch_model.safetensors": WHOLE}
BART = {"is_encoder_decoder": True}
SHARDS = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}


@pytest.mark.parametrize(
    ("family", "files"),
    [
        ("diffusion", DDPM),
        ("diffusion", OLD),
        ("diffusion", pipeline("DDIMPipeline", "DDIMScheduler", unet="UNet2DModel")),
        ("audio", pipeline("DanceDiffusionPipeline", "IPNDMScheduler", unet="UNet1DModel")),
        (
            "autoencoder",
            {"config.json": {"_class_name": "AutoencoderKL"}, "diffusion_pytorch_model.safetensors": WHOLE},
        ),
        ("causal_lm", language("gpt2", "GPT2LMHeadModel")),
        ("causal_lm", language("gpt2", "GPT2Model")),  # whose head are its embeddings
        ("causal_lm", language("bert", "BertForMaskedLM", is_decoder=True)),
        ("causal_lm", language("bart", "BartForCausalLM")),
        ("causal_lm", language("gemma3", "Gemma3ForConditionalGeneration")),
        ("causal_lm", language("somebody's", auto_map={"AutoModelForCausalLM": "x.Y"}) | {"trusted": ""}),
        ("causal_lm", language("gpt2", vocab_size=2)),  # a mark that no text becomes, as Gemma 3's of images
        ("masked_lm", language("bert", "BertForMaskedLM")),
        ("seq2seq", language("bart", "BartForConditionalGeneration", **BART)),
        ("seq2seq", language("bert", "BertForMaskedLM")),
        (
            "causal_lm",
            {n: c for n, c in language("gpt2").items() if n != "model.safetensors"}
            | {"model.safetensors.index.json": SHARDS, "model-1.safetensors": WHOLE, "model-2.safetensors": WHOLE},
        ),
    ],
)
def test_nothing_is_said_of_what_may_do(family: str, files: Files, tmp_path: Path) -> None:
    assert said(tmp_path, family, files, trust_remote_code="trusted" in files) == ""


@pytest.mark.parametrize(
    ("family", "files", "wanted"),
    [
        (
            "diffusion",
            pipeline("LDMPipeline", vqvae="VQModel", unet="UNet2DModel"),
            "it holds an LDMPipeline of scheduler, vqvae, unet, and family diffusion takes a DDPMPipeline",
        ),
        (
            "diffusion",
            DDPM | pipeline("DDPMPipeline", unet="UNet2DModel", vqvae="VQModel"),
            "its DDPMPipeline has a vqvae",
        ),
        ("audio", pipeline("AudioDiffusionPipeline", unet="UNet2DModel", vqvae="AutoencoderKL"), "has a vqvae"),
        ("diffusion", pipeline("DanceDiffusionPipeline", unet="UNet1DModel"), "or take family audio"),
        (
            "text_to_image",
            pipeline("StableDiffusionXLPipeline", unet="UNet2DConditionModel"),
            "StableDiffusionXLPipeline",
        ),
        ("text_to_image", pipeline("FluxPipeline", transformer="FluxTransformer2DModel"), "it holds a FluxPipeline of"),
        (
            "vae",
            pipeline("StableDiffusionPipeline", vae="AutoencoderKL", unet="UNet2DConditionModel"),
            "it holds a StableDiffusionPipeline of scheduler, vae, unet, and family vae takes an AutoencoderKL or "
            "a variational ConvolutionalAutoencoder; name its folder vae, or another checkpoint",
        ),
        ("vae", {"config.json": {"_class_name": "VQModel"}, "diffusion_pytorch_model.safetensors": WHOLE}, "VQModel"),
        ("gan", language("gpt2", "GPT2LMHeadModel"), "take family causal_lm or molecules"),
        ("causal_lm", language("t5", "T5ForConditionalGeneration", **BART), "or take family seq2seq"),
        (
            "causal_lm",
            language("bart", "BartForConditionalGeneration", **BART),
            "it holds a BartForConditionalGeneration",
        ),
        ("causal_lm", language("whisper", "WhisperForConditionalGeneration"), "it holds a WhisperFor"),
        ("causal_lm", language("gpt2", "GPT2ForSequenceClassification"), "it holds a GPT2ForSequenceClassification"),
        ("causal_lm", language("bert", "BertForMaskedLM"), "or take family masked_lm or seq2seq"),
        ("causal_lm", {"config.json": {"family": "gan"}, "model.safetensors": WHOLE}, "a model of family gan"),
        ("causal_lm", {"adapter_config.json": {}, "adapter_model.safetensors": WHOLE}, "merge it into its base model"),
        ("causal_lm", language("gpt2") | {"adapter_config.json": {}}, "beside its config.json; merge it into its base"),
        ("diffusion", DDPM | {"unet/adapter_config.json": {}}, "its unet holds an adapter of PEFT"),
        ("masked_lm", language("llama", "LlamaForCausalLM"), "or take family causal_lm or molecules"),
        ("masked_lm", language("bart", "BartForConditionalGeneration", **BART), "says is_encoder_decoder: true"),
        ("seq2seq", language("whisper", "WhisperForConditionalGeneration"), "it holds a WhisperFor"),
        ("seq2seq", language("gpt2", "GPT2LMHeadModel"), "it holds a GPT2LMHeadModel"),
        ("molecules", language("vit", "ViTForImageClassification"), "it holds a ViTForImageClassification"),
    ],
)
def test_a_checkpoint_of_another_kind(family: str, files: Files, wanted: str, tmp_path: Path) -> None:
    found = said(tmp_path, family, files)
    assert wanted in found
    assert "; " in found
    assert len(found) < 300


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("model.safetensors", WHOLE[:-1], f"its model.safetensors is cut off: {len(WHOLE) - 1} of {len(WHOLE)} bytes"),
        ("model.safetensors", WHOLE[:20], "its model.safetensors is cut off, or no safetensors; download or save it"),
        ("model.safetensors", b"", "its model.safetensors is cut off, or no safetensors"),
        ("model.safetensors", WHOLE + b"x", "its model.safetensors has 1 bytes too many"),
        ("model.safetensors", struct.pack("<Q", 2) + b"[]", "its model.safetensors is no safetensors"),
        (
            "model.safetensors",
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "its model.safetensors is a pointer of Git LFS and no weights; fetch them: git lfs pull",
        ),
        ("config.json", "{", "its config.json is no JSON"),
        ("config.json", "[]", "its config.json is no mapping"),
        ("tokenizer.json", b"\xff\xfe{}", "its tokenizer.json is no JSON"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 0', "its tokenizer.json is no JSON"),
        ("tokenizer.json", "[]", "its tokenizer.json is no mapping; download or save it again"),
        ("tokenizer_config.json", "[]", "its tokenizer_config.json is no mapping; download or save it again"),
        ("special_tokens_map.json", "{", "its special_tokens_map.json is no JSON"),
        ("config.json", {"model_type": "gpt2", "n_embd": 10**7}, "its config.json: n_embd: 10000000 is wider than any"),
    ],
)
def test_a_file_that_is_damaged(name: str, content: Any, wanted: str, tmp_path: Path) -> None:
    assert wanted in said(tmp_path, "causal_lm", language("gpt2") | {name: content})


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ({}, "it holds no weights; it needs config.json and *.safetensors"),
        ({"pytorch_model.bin": b""}, "it holds pickle weights only (pytorch_model.bin), which can run code; save"),
        ({"model.fp16.safetensors": WHOLE}, "weights under another name (model.fp16.safetensors) than is loaded"),
        (
            {"model.safetensors.index.json": SHARDS, "model-1.safetensors": WHOLE},
            "its model.safetensors.index.json names model-2.safetensors, which is not there; download or save it again",
        ),
        (
            {"model.safetensors.index.json": {}, "x.safetensors": WHOLE},
            "its model.safetensors.index.json names no files",
        ),
    ],
)
def test_weights_that_are_not_there(weights: Files, wanted: str, tmp_path: Path) -> None:
    without = {name: content for name, content in language("gpt2").items() if name != "model.safetensors"}
    assert wanted in said(tmp_path, "causal_lm", without | weights)


def test_a_link_to_nothing_and_a_folder_are_no_weights_under_another_name(tmp_path: Path) -> None:
    for name in ("linked", "folder"):
        assert not said(tmp_path / name, "causal_lm", language("gpt2"))
        (tmp_path / name / "model.safetensors").unlink()
    (tmp_path / "linked" / "model.safetensors").symlink_to("../blobs/gone")
    (tmp_path / "folder" / "model.safetensors").mkdir()
    assert said(tmp_path / "linked", "causal_lm", {}).startswith(
        "it holds a link model.safetensors to a file that is not there (../blobs/gone); download or save it again"
    )
    assert said(tmp_path / "folder", "causal_lm", {}).startswith(
        "it holds a folder of the name model.safetensors; save"
    )


def test_the_name_that_diffusers_loads_is_the_one_quoted(tmp_path: Path) -> None:
    files = {name.replace("diffusion_pytorch_model", "x"): content for name, content in DDPM.items()}
    found = said(tmp_path, "diffusion", files)
    assert "another name (x.safetensors) than is loaded (diffusion_pytorch_model.safetensors); save" in found


def test_the_weights_of_each_part_are_looked_at(tmp_path: Path) -> None:
    files = DDPM | {"unet/diffusion_pytorch_model.safetensors": WHOLE[:-4]}
    assert "its diffusion_pytorch_model.safetensors is cut off" in said(tmp_path, "diffusion", files)
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (tmp_path / "scheduler" / "other.safetensors").write_bytes(WHOLE)
    assert "its folder unet holds no weights" in said(tmp_path, "diffusion", {})


def test_weights_are_counted_from_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.safetensors").write_bytes(safetensors(3))
    assert tensor_files.whole(tmp_path / "one.safetensors") == 3
    monkeypatch.setattr(extent, "_ANYWHERE", 0)
    monkeypatch.setattr(extent, "_memory", lambda: 7)
    said_of_two = said(tmp_path / "two", "gan", {"config.json": {"family": "gan"}, "model.safetensors": WHOLE})
    assert said_of_two.endswith("of memory; name a smaller one, or take a larger machine"), "two numbers of four bytes"
    monkeypatch.setattr(extent, "_memory", lambda: 8)
    assert said(tmp_path / "two", "gan", {}) == ""
    (tmp_path / "one.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + WHOLE)
    with pytest.raises(Unusable, match="cut off"):
        tensor_files.whole(tmp_path / "one.safetensors")


@pytest.mark.parametrize(
    ("words", "added", "known", "wanted"),
    [
        ({"a": 0, "b": 1}, [], 2, ""),
        (
            {"a": 0, "b": 2},
            [],
            2,
            "its tokenizer has the token 'b' with the id 2, the network knows 2 tokens; take its own",
        ),
        ([["a", 0.0], ["b", 0.0]], [], 1, "the token 'b' with the id 1, the network knows 1 tokens"),
        ({"a": 0}, [{"id": 1, "content": "river", "special": False}], 1, "the token 'river' with the id 1"),
        ({"a": 0}, [{"id": 1, "content": "<image>", "special": True}], 1, ""),
        ("unknown", [], 1, ""),
    ],
)
def test_tokens_that_a_network_does_not_know(words: Any, added: Any, known: int, wanted: str, tmp_path: Path) -> None:
    files = language("gpt2", vocab_size=known) | {"tokenizer.json": {"model": {"vocab": words}, "added_tokens": added}}
    found = said(tmp_path, "causal_lm", files)
    assert wanted in found if wanted else not found


def test_every_family_that_loads_a_checkpoint_says_what_it_takes() -> None:
    for name in plugins.names("families"):
        stated = plugins.find("families", name).constants
        assert ("CHECKPOINT" in stated) == ("network" in stated["OFFERS"])
        if "CHECKPOINT" in stated:
            assert set(stated["CHECKPOINT"]) <= {
                *("kind", "networks", "parts", "optional", "pipelines", "tasks", "tokenizer"),
            }


@pytest.mark.parametrize("stated", [None, "https://example.org/weights", {"kind": "a model"}])
def test_of_somebody_else_s_family_files_are_to_be_whole(
    stated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its module has under that name."""
    monkeypatch.setitem(plugins.find("families", "gan").constants, "CHECKPOINT", stated)
    assert said(tmp_path, "gan", {"any.safetensors": WHOLE}) == ""
    assert "its any.safetensors is cut off" in said(tmp_path, "gan", {"any.safetensors": WHOLE[:-1]})


@pytest.mark.parametrize("config", [{"architectures": 3.5}, {"architectures": [[]]}, {"_class_name": {"a": "b\nc"}}])
def test_a_config_of_any_form_is_one_line(config: dict[str, Any], tmp_path: Path) -> None:
    found = said(tmp_path, "masked_lm", language("gpt2") | {"config.json": {"model_type": "gpt2"} | config})
    assert found.startswith("it holds a")
    assert "\n" not in found


def test_a_file_that_may_not_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(tensor_files, "whole", forbidden)
    found = said(tmp_path, "causal_lm", language("gpt2"))
    assert found == "it cannot be read (Permission denied); see that it is there, and that you may read it"


def test_a_plan_tells_of_all_models_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(tmp_path / "cut", "causal_lm", language("gpt2") | {"model.safetensors": WHOLE[:-1]})
    said(tmp_path / "t5", "causal_lm", language("t5"))
    wide = tiny.SUITE["models"]["tiny"] | {"recipe": tiny.SUITE["models"]["tiny"]["recipe"] | {}}
    wide["recipe"] = wide["recipe"] | {"architecture": {"n_layer": 1_000_000}}
    changes: plans.Changes = {"models/wide": wide}
    changes |= {f"models/{name}": {"family": "causal_lm", "checkpoint": f"./{name}"} for name in ("cut", "t5")}
    path = plans.write(tmp_path, changes)
    assert __main__.main(["plan", str(path)]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert [line.split(": ")[:3] for line in found.err.splitlines()] == [
        ["bench", str(path), "models.wide.recipe.architecture"],
        ["bench", str(path), "models.cut.checkpoint"],
        ["bench", str(path), "models.t5.checkpoint"],
    ]
    assert __main__.main(["plan", str(path), "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 3
