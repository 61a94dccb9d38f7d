"""The components of a Stable Diffusion pipeline: how they are loaded, built and kept, and a tokenizer like CLIP's."""

import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bench.checkpoints import vocabulary
from bench.dataset import Columns, Dataset
from bench.errors import CheckpointError, NotApplicable
from bench.families import _weights
from bench.families._denoising import smaller, unfit
from bench.families._errors import one_line
from bench.families._images import shrinkage

_KIND = "StableDiffusionPipeline"
_PARTS = ("unet", "vae", "text_encoder", "scheduler", "vocab_size", "length")  # of an architecture
_NOISE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}
_END_OF_WORD, _SPECIAL = "</w>", ("<|startoftext|>", "<|endoftext|>")


class Network(nn.Module):
    """Text encoder and U-Net as one network: from noised latents, their timesteps and a caption to a prediction."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet

    def forward(self, latents: Tensor, timesteps: Tensor, caption: Tensor) -> Tensor:
        """Latents of shape (rows, channels, height, width) and tokens of shape (rows, positions) to that of latents."""
        read = self.text_encoder(caption).last_hidden_state
        predicted: Tensor = self.unet(latents, timesteps, encoder_hidden_states=read).sample
        return predicted

    @property
    def reader(self) -> Any:
        """The module with the text encoder's embeddings, layers and last norm, wherever its library keeps them."""
        return getattr(self.text_encoder, "text_model", self.text_encoder)

    def get_input_embeddings(self) -> nn.Module:
        embeddings: nn.Module = self.reader.embeddings.token_embedding
        return embeddings

    def set_input_embeddings(self, embeddings: nn.Module) -> None:
        self.reader.embeddings.token_embedding = embeddings


@dataclass
class Parts:
    """All that makes up a pipeline, the safety checker aside."""

    network: Network
    vae: Any
    tokenizer: Any
    noise: Any

    def save(self, folder: Path) -> None:
        """Write the folder that diffusers' own ``from_pretrained`` reads."""
        StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.network.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.network.unet,
            scheduler=self.noise,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ).save_pretrained(folder)

    def fault(self, positions: int) -> str:
        """Why captions of that many tokens cannot be turned to pictures with them; empty where they can."""
        unet, text, channels = (
            self.network.unet.config,
            self.network.text_encoder.config,
            self.vae.config.latent_channels,
        )
        if unet.class_embed_type or unet.num_class_embeds or unet.addition_embed_type or unet.encoder_hid_dim_type:
            return "its U-Net asks for more than a caption (classes, sizes, a second text); name one that does not"
        if not unet.in_channels == unet.out_channels == channels:
            found = f"{unet.in_channels} in, {unet.out_channels} out, {channels} of the autoencoder's"
            return f"its U-Net has other channels than its latents ({found}); name one that turns captions to pictures"
        if unet.sample_size is None:
            return "its U-Net's config has no sample_size; set it to the side of its latents"
        if unet.cross_attention_dim != text.hidden_size:
            given = f"its text encoder writes {text.hidden_size} features of a token"
            return f"{given}, its U-Net reads {unet.cross_attention_dim}; name the one it was trained with"
        if beyond := vocabulary.unknown(self.tokenizer.get_vocab(), text.vocab_size):  # marks too, read in a caption
            return beyond
        if positions <= 2:
            return f"captions of {positions} tokens hold no word; allow more"
        read = torch.empty(1, positions, text.hidden_size, device="meta")
        return unfit(self.network.unet, encoder_hidden_states=read)


def load(checkpoint: str, revision: str | None) -> Parts:
    """The components of a folder or hub id in full precision; raises :class:`CheckpointError`."""
    where = f"checkpoint {checkpoint}"
    try:
        kind = StableDiffusionPipeline.load_config(checkpoint, revision=revision).get("_class_name")
        if kind != _KIND:
            raise CheckpointError(f"{where}: its pipeline is a {kind}; name one of a {_KIND}")
        unet = _component(UNet2DConditionModel, where, checkpoint, "unet", revision, {"torch_dtype": torch.float32})
        vae = _component(AutoencoderKL, where, checkpoint, "vae", revision, {"torch_dtype": torch.float32})
        text = _component(CLIPTextModel, where, checkpoint, "text_encoder", revision, {"dtype": torch.float32})
        tokenizer = CLIPTokenizer.from_pretrained(checkpoint, subfolder="tokenizer", revision=revision)
        config = DDPMScheduler.load_config(checkpoint, subfolder="scheduler", revision=revision)
    except CheckpointError:
        raise
    except Exception as error:
        remedy = "save it again with its save_pretrained"
        raise CheckpointError(f"{where}: not a {_KIND} with safetensors ({one_line(error)}); {remedy}") from error
    if getattr(diffusers, config["_class_name"], None) not in DDPMScheduler().compatibles:
        raise CheckpointError(f"{where}: its {config['_class_name']} does not add noise as DDPM does; name another")
    # as diffusers' own pipeline has it, whatever kind of scheduler was saved: latents have no bounds
    noise = DDPMScheduler.from_config(config, clip_sample=False, steps_offset=1)
    return Parts(Network(unet, text), vae.requires_grad_(False), tokenizer, noise)


def _component(kind: Any, where: str, checkpoint: str, part: str, revision: str | None, dtype: dict[str, Any]) -> Any:
    try:
        return _weights.component(kind, checkpoint, part, revision=revision, **dtype)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from None


def row(tokenizer: Any, tokens: list[int], positions: int) -> list[int]:
    """Start, the tokens of a caption as far as there is room, and ends to fill the row."""
    tokens = [tokenizer.bos_token_id, *tokens][: positions - 1]
    return [*tokens, tokenizer.eos_token_id, *[tokenizer.pad_token_id] * (positions - len(tokens) - 1)]


def build(architecture: Mapping[str, Any], source: Dataset) -> Parts:
    """Untrained components for the pictures of ``source``, and a tokenizer of its captions.

    Args:
        architecture: options of diffusers' ``unet``, ``vae`` and ``scheduler`` and of transformers' ``text_encoder``;
            the tokenizer's ``vocab_size``, and ``length``, the tokens of a caption at most.
        source: whose pictures give the sizes.
    """
    where = f"architecture {dict(architecture)}"
    given: dict[str, Any] = {part: architecture.get(part, {}) for part in ("unet", "vae", "scheduler", "text_encoder")}
    words, length = architecture.get("vocab_size", 1024), architecture.get("length", 77)
    unknown = [*(set(architecture) - set(_PARTS)), *(set(given["text_encoder"]) - set(CLIPTextConfig().to_dict()))]
    if unknown:
        raise CheckpointError(f"{where}: unknown {sorted(unknown)[0]!r}; its parts are {', '.join(_PARTS)}")
    known = source.train
    assert isinstance(known, Columns)
    *sides, channels = known["images"].shape[1:]
    try:
        vae = AutoencoderKL(
            **{"in_channels": channels, "out_channels": channels, "sample_size": max(sides)} | given["vae"]
        )
        factor = shrinkage(vae)
        if any(side % factor for side in sides):
            raise ValueError(f"its vae halves sides to 1/{factor}, which {sides[0]}x{sides[1]} pixels do not allow")
        tokenizer = clip_tokenizer(known["caption"], words, length)
        ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        ends |= {"vocab_size": len(tokenizer), "max_position_embeddings": length, "pad_token_id": ends["eos_token_id"]}
        text = CLIPTextModel(CLIPTextConfig(**ends | given["text_encoder"]))
        size = [side // factor for side in sides]
        shape = {"sample_size": size[0] if size[0] == size[1] else size}
        shape |= {"in_channels": vae.config.latent_channels, "out_channels": vae.config.latent_channels}
        shape |= {"cross_attention_dim": text.config.hidden_size}
        unet = UNet2DConditionModel(**shape | given["unet"])
        noise = DDPMScheduler(**_NOISE | {"steps_offset": 1} | given["scheduler"])
    except Exception as error:
        raise CheckpointError(f"{where}: it cannot be built ({one_line(error)})") from error
    return Parts(Network(unet, text), vae, tokenizer, noise)


def clip_tokenizer(captions: list[str], size: int, length: int) -> CLIPTokenizer:
    """A tokenizer that does all as CLIP's does, with merges learned from some captions.

    It knows every byte inside and at the end of words, so it can write whatever comes.

    Args:
        captions: to learn from.
        size: of the vocabulary, at most; 514 are bytes and the two ends of a text.
        length: tokens of a caption, both ends included.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = [*alphabet, *(byte + _END_OF_WORD for byte in alphabet)]
    if size < len(known) + len(_SPECIAL):
        raise ValueError(f"a vocab_size of {size} has no room for the {len(known)} bytes and {len(_SPECIAL)} ends")
    like = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(models.BPE(end_of_word_suffix=_END_OF_WORD))
    learner.normalizer, learner.pre_tokenizer = like.normalizer, like.pre_tokenizer
    learner.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=alphabet, end_of_word_suffix=_END_OF_WORD, show_progress=False
        ),
    )
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    merges = merges[: size - len(known) - len(_SPECIAL)]
    words = dict.fromkeys([*known, *(one + other for one, other in merges), *_SPECIAL])
    return CLIPTokenizer({word: index for index, word in enumerate(words)}, merges, model_max_length=length)


def student(network: Network) -> Network:
    """A smaller U-Net, and every other layer of the text encoder, started from these weights where they fit.

    Raises :class:`bench.errors.NotApplicable` where there is no smaller U-Net.
    """
    if not isinstance(network.unet.config.layers_per_block, int):
        raise NotApplicable("no smaller U-Net: its blocks differ in their number of layers")
    text, config = network.text_encoder, copy.deepcopy(network.text_encoder.config)
    config.num_hidden_layers = math.ceil(config.num_hidden_layers / 2)
    made = Network(smaller(network.unet), type(text)(config))
    made.text_encoder.load_state_dict(
        {name: value for name, value in text.state_dict().items() if ".layers." not in name},
        strict=False,
    )
    for layer, known in zip(made.reader.encoder.layers, network.reader.encoder.layers[::2], strict=True):
        layer.load_state_dict(known.state_dict())
    return made
