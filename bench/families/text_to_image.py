"""Pictures from captions: latent diffusion with a text encoder, in Stable Diffusion's components."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.dataset import Columns, Dataset, Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _hidden, _stable_diffusion
from bench.families._denoising import Discrete
from bench.families._images import shrinkage, to_items, to_rows
from bench.families._stable_diffusion import Network, Parts, row
from bench.model import Batch, Model, Reader
from bench.options import Count, Fraction, NonNegative

MODALITY = "captioned_image"
OFFERS = ("image", "caption", "condition", "network", "samples", "objective")
CHECKPOINT = {
    "kind": "a StableDiffusionPipeline that turns captions to pictures",
    "pipelines": ("StableDiffusionPipeline",),
    "networks": {
        "unet": {
            "_class_name": ("UNet2DConditionModel",),
            "null": ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "num_class_embeds"),
            "out_channels": "in_channels",
            "in_channels": "vae.latent_channels",
            "cross_attention_dim": "text_encoder.hidden_size",
            "sample_size": ...,
        },
        "vae": {"_class_name": ("AutoencoderKL",)},
        "text_encoder": {},
    },
    "parts": {
        "scheduler": {
            "_class_name": ("KarrasDiffusionSchedulers",),
            "prediction_type": ("epsilon", "v_prediction", "sample"),
        }
    },
    "optional": ("feature_extractor", "image_encoder", "safety_checker", "tokenizer"),
    "tokenizer": ("tokenizer", "text_encoder"),
}

_PACE = 0.05  # of the running scale of latents while their autoencoder trains


class TextToImage(Model):
    """Latent diffusion conditioned on captions: any ``StableDiffusionPipeline``, sampled with DDIM and guidance.

    Text encoder and U-Net are the network. The autoencoder says what latents are, as a tokenizer says what tokens are:
    it is no part of the network and frozen, and new and smaller networks keep it. Only while a recipe is pretrained it
    trains along with the network, by the negative evidence lower bound of pictures under a Gaussian of fixed variance,
    in its own part of the loss: no gradient of the diffusion reaches it. The scale that gives latents variance one then
    follows it, and is kept as its ``scaling_factor``.

    Paper: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models; Ho & Salimans 2022,
    Classifier-Free Diffusion Guidance; Song et al. 2021, Denoising Diffusion Implicit Models (sampling)

    Args:
        inference_steps: network evaluations per sample, each of which is two where there is guidance.
        guidance_scale: what the caption changes of a prediction is multiplied by it; 1 for no guidance.
        eta: share of DDPM's noise in each step of DDIM; 0 is deterministic given the first noise.
        caption_dropout: share of the training examples whose caption is taken away, which guidance rests on.
        kl_weight: of the divergence of latents from a normal distribution, beside the squared error of pixels, both per
            pixel: twice the variance of the pixels' Gaussian. It matters while a recipe is pretrained.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    generated, read_by = "images", Reader("diffusers.StableDiffusionPipeline")
    network: Any
    scale: Tensor

    def __init__(
        self,
        parts: Parts,
        *,
        inference_steps: Count = 20,
        guidance_scale: NonNegative = 7.5,
        eta: NonNegative = 0.0,
        caption_dropout: Fraction = 0.1,
        kl_weight: NonNegative = 0.01,
    ) -> None:
        super().__init__()
        self.network: Any = parts.network
        self.vae, self.tokenizer, self.noise = parts.vae, parts.tokenizer, parts.noise
        self.options: dict[str, Any] = {"inference_steps": inference_steps, "guidance_scale": guidance_scale}
        self.options |= {"eta": eta, "caption_dropout": caption_dropout, "kl_weight": kl_weight}
        self.positions: int = min(
            self.tokenizer.model_max_length, parts.network.text_encoder.config.max_position_embeddings
        )
        if fault := parts.fault(self.positions) or Discrete(self.noise).fault(inference_steps):
            raise CheckpointError(fault)
        self.encoder_learns = any(weight.requires_grad for weight in self.vae.parameters())
        self.register_buffer("scale", torch.tensor(self.vae.config.scaling_factor), persistent=self.encoder_learns)
        self.beginning: list[int] = []  # tokens before every caption
        self.factor = shrinkage(self.vae)
        size = parts.network.unet.config.sample_size
        self.height, self.width = (self.factor * side for side in ((size, size) if isinstance(size, int) else size))

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        return cls._of(f"checkpoint {checkpoint}", _stable_diffusion.load(checkpoint, revision), options)

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        where = f"architecture {dict(architecture)}"
        return cls._of(where, _stable_diffusion.build(architecture, source), options)

    @classmethod
    def _of(cls, where: str, parts: Parts, options: dict[str, Any]) -> Self:
        try:
            return cls(parts, **options)
        except CheckpointError as error:
            raise CheckpointError(f"{where}: {error}") from None

    def save(self, folder: Path) -> None:
        self.vae.register_to_config(scaling_factor=float(self.scale))
        self._parts(self.network).save(folder)

    def _parts(self, network: Network) -> Parts:
        return Parts(network, self.vae, self.tokenizer, self.noise)

    def _like_this(self, network: Network) -> Self:
        """Another network with all else that belongs to this one."""
        made = type(self)(self._parts(network.to(self.device)), **self.options)
        made.scale.copy_(self.scale)
        made.begin_captions(self.beginning)
        return made.to(self.device)

    def fresh(self) -> Self:
        unet, text = self.network.unet, self.network.text_encoder
        return self._like_this(Network(type(unet).from_config(unet.config), type(text)(text.config)))

    def student(self) -> Self:
        return self._like_this(_stable_diffusion.student(self.network))

    def players(self) -> list[nn.Module]:
        return [nn.ModuleList([self.network, self.vae]) if self.encoder_learns else self.network]

    def blocks(self) -> list[nn.Module]:
        reader, unet, end = self.network.reader, self.network.unet, nn.ModuleList(self._exit())
        middle = [unet.mid_block] if unet.mid_block is not None else []
        later = {id(part) for part in (unet.down_blocks, *middle, unet.up_blocks, *end)}
        entrance = nn.ModuleList(
            [reader.final_layer_norm, *(part for part in unet.children() if id(part) not in later)]
        )
        read = [nn.ModuleList([reader.embeddings]), *reader.encoder.layers]
        return [*read, entrance, *unet.down_blocks, *middle, *unet.up_blocks, end]

    def _exit(self) -> list[nn.Module]:
        unet = self.network.unet
        return [part for part in (unet.conv_norm_out, unet.conv_out) if part is not None]

    def generating_end(self) -> list[nn.Module]:
        """The way up: from the features of the narrowest place back to latents."""
        return [*self.network.unet.up_blocks, *self._exit()]

    # Captions and pictures ----------------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    def begin_captions(self, tokens: list[int]) -> None:
        self.beginning = list(tokens)

    def encoding(self) -> dict[str, Any]:
        words = hashlib.sha256(self.tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
        shape = [self.vae.config.in_channels, self.height, self.width]
        about = {"family": "text_to_image", "shape": shape, "tokenizer": words, "positions": self.positions}
        return about | {"beginning": self.beginning}

    def encode(self, items: Items) -> Batch:
        assert isinstance(items, Columns)
        images = to_rows(items["images"], self.vae.config.in_channels, self.height, self.width)
        texts = ([*self.beginning, *self.tokens(caption)] for caption in items["caption"])
        captions = torch.tensor([row(self.tokenizer, text, self.positions) for text in texts], dtype=torch.int32)
        return {"images": images, "caption_ids": captions, "item": torch.arange(len(images))}

    def decode(self, batch: Batch) -> Columns:
        start = 1 + len(self.beginning)
        plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        captions = self.tokenizer.batch_decode(batch["caption_ids"][:, start:].tolist(), **plain)
        captions = [caption.replace("</w>", " ").strip() for caption in captions]  # which copies of CLIP's forget to do
        return Columns({"caption": captions, "images": to_items(batch["images"])})

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """Pixels from 0…255 to -1…1."""
        batch = super().collate(rows, indices)
        return batch | {"images": batch["images"].float() / 127.5 - 1, "caption_ids": batch["caption_ids"].long()}

    def coarser(self, batch: Batch, share: float) -> Batch:
        """Pictures of the next size that autoencoder and U-Net can halve as often as they do."""
        stride = self.factor * 2 ** (len(self.network.unet.config.block_out_channels) - 1)
        if stride == self.height == self.width:
            raise NotApplicable(f"its way down ends at one place of {stride}x{stride} images: it takes no smaller ones")
        size = [max(1, round(share * side / stride)) * stride for side in (self.height, self.width)]
        return batch | {"images": F.interpolate(batch["images"], size, mode="area")}

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """Only patches of the latents named in ``hidden`` get noise, and are to be restored from those around them.

        Paper: Wei et al. 2023, Diffusion Models as Masked Autoencoders
        """
        rows, _, *size = self._latent_shape(batch)
        places = _hidden.hidden(rows, size, _hidden.PATCHES, _hidden.SHARE if share is None else share, generator)
        return batch | {"hidden": places.to(batch["images"].device)}

    # Learning and generating --------------------------------------------------------------------------------------

    def _latent_shape(self, batch: Batch) -> list[int]:
        rows, _, height, width = batch["images"].shape
        return [rows, self.vae.config.latent_channels, height // self.factor, width // self.factor]

    def _without_caption(self) -> Tensor:
        return torch.tensor(row(self.tokenizer, [], self.positions), device=self.device)

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Two noises of the latents' shape, a timestep for every row; in training some rows lose their caption."""
        shape = self._latent_shape(batch)
        within, noise = (torch.randn(shape, generator=generator).to(self.device) for _ in range(2))
        timesteps = Discrete(self.noise).timesteps(shape[0], generator).to(self.device)
        dropped = (torch.rand(shape[0], 1, generator=generator) < self.options["caption_dropout"]).to(self.device)
        if self.training:
            batch = batch | {"caption_ids": torch.where(dropped, self._without_caption(), batch["caption_ids"])}
        return batch | {"noise": noise, "noise_within": within, "timesteps": timesteps}

    def forward(self, batch: Batch) -> Tensor:
        """The network's prediction, of the latents' shape. While the autoencoder trains, of shape (rows, predictions
        and one more): the last is each picture's negative evidence lower bound, scaled as the class says.

        The batch keeps its ``latents``, so a teacher that is given it too does not encode its pictures again.
        """
        bound = None
        if self.encoder_learns:
            bound = self._bound(batch)
        elif "latents" not in batch:
            with torch.no_grad():
                batch["latents"] = self._code(batch)[0] * self.scale
        noised = self.noise.add_noise(batch["latents"], batch["noise"], batch["timesteps"])
        if "hidden" in batch:
            noised = torch.where(batch["hidden"], noised, batch["latents"])
        predicted: Tensor = self.network(noised, batch["timesteps"], batch["caption_ids"])
        return predicted if bound is None else torch.cat([predicted.float().flatten(1), bound[:, None]], 1)

    def _code(self, batch: Batch) -> tuple[Tensor, Any]:
        """A draw of what the autoencoder makes of the pictures, and its distribution."""
        posterior = self.vae.encode(batch["images"]).latent_dist
        return (posterior.mean + posterior.std * batch["noise_within"]).float(), posterior

    def _bound(self, batch: Batch) -> Tensor:
        """For each picture the squared error of its pixels and the weighted divergence of its code, per pixel."""
        code, posterior = self._code(batch)
        if self.training:
            with torch.no_grad():
                self.scale.lerp_(1 / code.std().clamp(min=1e-6), _PACE)
        batch["latents"] = code.detach() * self.scale
        error = (self.vae.decode(code).sample.float() - batch["images"]).square().flatten(1).mean(1)
        bound: Tensor = error + self.options["kl_weight"] * posterior.kl().float() / batch["images"][0].numel()
        return bound

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Mean squared error of the predicted noise (or of what the checkpoint's scheduler says it predicts), where a
        transform has hidden patches, in these; and the autoencoder's own loss while it trains."""
        wanted = Discrete(self.noise).wanted(batch["latents"], batch["noise"], batch["timesteps"])
        own = torch.zeros((), device=wanted.device)
        if self.encoder_learns:
            outputs, own = outputs[:, :-1].view_as(wanted), outputs[:, -1].mean()
        return _hidden.squared_error(batch, outputs, wanted) + own

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs.float(), reference.float())

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Pictures for the batch's captions, in the model's own size."""
        captions, guidance = batch["caption_ids"].long(), self.options["guidance_scale"]
        shape = [len(captions), self.vae.config.latent_channels, self.height // self.factor, self.width // self.factor]
        read = captions if guidance == 1 else torch.cat([self._without_caption().expand_as(captions), captions])

        def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
            given = noisy if guidance == 1 else torch.cat([noisy, noisy])
            predicted: Tensor = self.network(given, timestep, read)
            if guidance == 1:
                return predicted
            free, told = predicted.chunk(2)
            return torch.lerp(free, told, guidance)

        start = torch.randn(shape, generator=generator).to(self.device)
        steps, eta = self.options["inference_steps"], self.options["eta"]
        latents = Discrete(self.noise).denoise(predict, start, steps, eta, generator)
        images = self.vae.decode(latents / self.scale).sample.float().clamp(-1, 1)
        return {"images": images, "caption_ids": captions, "item": torch.arange(shape[0], device=captions.device)}
