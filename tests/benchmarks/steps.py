"""The training step of each family as one would write it against its library, after the paper, for one model.

``LOSSES`` has them by the family's class. Each takes a model, of which it uses the network and the sizes, some encoded
rows, and a generator; it gives one loss for every optimizer. Where there are several they come one by one, so that the
second sees the weights that the first has changed. What is drawn is drawn in the order in which the family draws it, so
that the numbers are the same: on the CPU, and then moved to where the rows are. On a GPU it is computed in the
precision that the budget asks for.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from bench.budget import Budget
from bench.device import precision
from bench.families.audio import Audio
from bench.families.autoencoder import Autoencoder
from bench.families.causal_lm import CausalLM
from bench.families.cyclegan import CycleGAN
from bench.families.diffusion import Diffusion
from bench.families.gan import Gan
from bench.families.masked_lm import MaskedLM
from bench.families.molecules import Molecules
from bench.families.seq2seq import Seq2Seq
from bench.families.text_to_image import TextToImage
from bench.families.vae import VAE
from bench.model import Batch
from bench.transfer import Transfer


def taken(transfer: Transfer) -> Iterator[int]:
    """Take the transfer's steps: AdamW, warm-up and cosine, clipping, averaged weights. Yields their number so far,
    before the first one and after each."""
    model, budget, steps = transfer.model, transfer.budget, transfer.steps
    device, half = model.device, {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision(budget))
    losses, betas = LOSSES[type(model)], (0.5, 0.999) if isinstance(model, Gan) else (0.9, 0.999)
    rows = model.encode(transfer.data.train)
    total = len(next(iter(rows.values())))
    players = [list(player.parameters()) for player in model.players()]
    optimizers = [torch.optim.AdamW(weights, weight_decay=budget.weight_decay, betas=betas) for weights in players]
    averaged = [weight.detach().clone() for weight in players[0]] if model.averaging else []
    generator = torch.Generator().manual_seed(0)
    pending = torch.empty(0, dtype=torch.int64)
    unchecked = torch.zeros(())
    model.train()
    for step in range(steps):
        yield step
        while len(pending) < budget.batch_size:
            pending = torch.cat([pending, torch.randperm(total, generator=generator)])
        chosen, pending = pending[: budget.batch_size], pending[budget.batch_size :]
        batch = {name: value[chosen].to(device, non_blocking=True) for name, value in rows.items()}
        each = under(half, losses, model, batch, generator)
        for weights, optimizer, loss in zip(players, optimizers, each, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate((step + 0.5) / steps, budget)
            optimizer.zero_grad()
            loss.backward()
            if device.type == "cpu":
                unchecked = loss
            if not math.isfinite(unchecked.item()):  # on a GPU of the step before: this one is still under way
                raise ArithmeticError(f"diverged at step {step}")
            unchecked = loss.detach()
            if budget.clip:
                torch.nn.utils.clip_grad_norm_(weights, budget.clip)
            optimizer.step()
        with torch.no_grad():
            kept = min(model.averaging, (step + 2) / (step + 11))
            for mean, weight in zip(averaged, players[0], strict=False):  # of most models there is no average
                mean.lerp_(weight, 1 - kept)
    yield steps


def under(half: torch.dtype | None, losses: Any, model: Any, *given: Any) -> Iterator[Tensor]:
    """The losses one by one, computed under autocast where there is a precision to compute in."""

    def inside() -> Any:
        return torch.autocast(model.device.type, half) if half else nullcontext()

    with inside():
        waiting = iter(losses(model, *given))
    while True:
        with inside():
            loss = next(waiting, None)
        if loss is None:
            return
        yield loss


def rate(progress: float, budget: Budget) -> float:
    if progress < budget.warmup:
        return budget.learning_rate * progress / budget.warmup
    left = (1 - progress) / (1 - budget.warmup)
    return budget.learning_rate * (1 - math.cos(math.pi * left)) / 2


# Texts ----------------------------------------------------------------------------------------------------------------


def next_token(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """GPT-2's: cross-entropy of each token after those before it."""
    length = rows["length"]
    ids = rows["input_ids"][:, : int(length.max())].long()
    logits = model.network(input_ids=ids[:, :-1], use_cache=False).logits
    padding = torch.arange(1, ids.shape[1], device=ids.device) >= length[:, None]
    return [F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].masked_fill(padding, -100).flatten())]


def masked_tokens(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """Masked diffusion's: of each row another share is masked, and at least one token."""
    ids = rows["input_ids"][:, : int(rows["length"].max())].long()
    places, first = torch.arange(ids.shape[1], device=ids.device), len(model.before)
    share = torch.rand(len(ids), 1, generator=generator).to(ids.device)
    turn = torch.rand(ids.shape, generator=generator).to(ids.device)
    turn[(places < first) | (places >= first + rows["text"][:, None])] = math.inf
    masked = (turn <= share) | (turn == turn.amin(1, keepdim=True))
    inside = (places < rows["length"][:, None]).long()
    logits = model.network(input_ids=ids.masked_fill(masked, model.mask), attention_mask=inside).logits
    return [F.cross_entropy(logits.flatten(0, 1), ids.masked_fill(~masked, -100).flatten())]


def translation(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """T5's own: it makes the decoder's input from the labels, and the loss."""
    source = rows["source"][:, : int(rows["source_length"].max())].long()
    mask = torch.arange(source.shape[1], device=source.device) < rows["source_length"][:, None]
    labels = rows["input_ids"][:, 1 : int(rows["length"].max())].long()
    labels[torch.arange(1, labels.shape[1] + 1, device=labels.device) >= rows["length"][:, None]] = -100
    return [model.network(input_ids=source, attention_mask=mask.long(), labels=labels, use_cache=False).loss]


# Pictures and sounds --------------------------------------------------------------------------------------------------


def pixels(rows: Batch) -> Tensor:
    return rows["images"].float() / 127.5 - 1


def noise_of_pictures(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """DDPM's: the noise, predicted from the noised picture."""
    images = pixels(rows)
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    timesteps = torch.randint(1000, (len(images),), generator=generator).to(images.device)
    predicted = model.network(model.noise.add_noise(images, noise, timesteps), timesteps).sample
    return [F.mse_loss(predicted, noise)]


def velocity_of_sounds(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """The velocity between a mel spectrogram, from -1 to 1 over 80 decibels, and noise."""
    mel, scheduler = model.sound.config, model.noise.scheduler
    waves, window = rows["sounds"].float() / 32768, torch.hann_window(mel.n_fft, device=model.device)
    spectrum = torch.stft(waves, mel.n_fft, mel.hop_length, window=window, pad_mode="constant", return_complex=True)
    power = filters(mel.n_fft, mel.y_res, mel.sample_rate).to(waves.device) @ spectrum.abs() ** 2
    decibels = 10 * power.clamp(min=1e-10).log10()
    decibels = (decibels - decibels.amax((1, 2), keepdim=True)).clamp(min=-80)
    clean = (2 * decibels / 80 + 1)[:, None]
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    timesteps = torch.randint(1000, (len(clean),), generator=generator).to(clean.device)
    predicted = model.network(scheduler.add_noise(clean, noise, timesteps), timesteps).sample
    return [F.mse_loss(predicted, scheduler.get_velocity(clean, noise, timesteps))]


@cache
def filters(n_fft: int, bands: int, rate: int) -> Tensor:
    """Of mel bands: shape (bands, frequencies)."""
    banks = mel_filter_bank(n_fft // 2 + 1, bands, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(banks.T.copy()).float()


def evidence(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """The negative evidence lower bound, pixels under discretised logistics, in nats per dimension."""
    images, body = pixels(rows), model.network.body
    noise = torch.randn(len(images), body.config.latent_dim, generator=generator).to(images.device)
    mean, logvar = body.moments(images).chunk(2, 1)
    logvar = logvar.clamp(-30, 20)
    log_scale = model.network.beside()
    off, narrow = images - body.images(mean + (logvar / 2).exp() * noise), (-log_scale).exp()
    above, below = (off + 1 / 255) * narrow, (off - 1 / 255) * narrow
    between = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log1p(-(below - above).exp())
    nats = torch.where(images < -0.999, F.logsigmoid(above), between)
    nats = torch.where(images > 0.999, F.logsigmoid(-below), nats)
    divergence = (mean**2 + logvar.exp() - 1 - logvar).sum() / 2
    return [(divergence - nats.sum()) / images.numel()]


def reconstruction(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """The squared error of pixels; the moments of the codes are followed meanwhile."""
    images, body, density = pixels(rows), model.network.body, model.network.beside
    codes = body.moments(images)
    with torch.no_grad():
        density.batches += 1
        weight = max(1 / float(density.batches), 0.1)
        density.mean.lerp_(codes.mean(0), weight)
        density.second.lerp_(codes.T @ codes / len(codes), weight)
    return [F.mse_loss(body.images(codes), images)]


def noise_of_latents(model: Any, rows: Batch, generator: torch.Generator) -> list[Tensor]:
    """Latent diffusion's, and beside it the autoencoder's; a tenth of the captions is left out."""
    images, vae, network, tokenizer = pixels(rows), model.vae, model.network, model.tokenizer
    posterior = vae.encode(images).latent_dist
    within, noise = (torch.randn(posterior.mean.shape, generator=generator).to(images.device) for _ in range(2))
    timesteps = torch.randint(1000, (len(images),), generator=generator).to(images.device)
    ids = rows["caption_ids"].long()
    empty = torch.full_like(ids[0], tokenizer.pad_token_id)
    empty[0], empty[1] = tokenizer.bos_token_id, tokenizer.eos_token_id
    ids[(torch.rand(len(images), generator=generator) < 0.1).to(ids.device)] = empty

    code = posterior.mean + posterior.std * within
    with torch.no_grad():
        model.scale.lerp_(1 / code.std(), 0.05)
    latents = code.detach() * model.scale
    bound = F.mse_loss(vae.decode(code).sample, images)
    bound = bound + model.options["kl_weight"] * posterior.kl().mean() / images[0].numel()
    read = network.text_encoder(ids).last_hidden_state
    noised = model.noise.add_noise(latents, noise, timesteps)
    return [F.mse_loss(network.unet(noised, timesteps, encoder_hidden_states=read).sample, noise) + bound]


# Two players ----------------------------------------------------------------------------------------------------------


def hinge(model: Any, rows: Batch, generator: torch.Generator) -> Iterator[Tensor]:
    """SNGAN's: of the generator, then of the critic."""
    images, maker, critic = pixels(rows), model.network, model.judge
    latents = torch.randn(len(images), model.latent(), generator=generator).to(images.device)
    critic.requires_grad_(False)
    yield -critic(maker(latents)).mean()
    critic.requires_grad_(True)
    with torch.no_grad():
        made = maker(latents)
    yield F.relu(1 + critic(made)).mean() + F.relu(1 - critic(images)).mean()


def cycle(model: Any, rows: Batch, generator: torch.Generator) -> Iterator[Tensor]:
    """CycleGAN's: of both generators, then of both critics; real is 0.5 here, and made -0.5. A generator takes what it
    restores and what it is to leave as it is at once."""
    source, target = pixels(rows).chunk(2, 1)
    maker, critic = model.network, model.critics
    critic.requires_grad_(False)
    as_source, as_target = maker(target, "back"), maker(source, "there")
    deceived = (critic(as_source, "back") - 0.5).square().mean() + (critic(as_target, "there") - 0.5).square().mean()
    source_again, same_source = maker(torch.cat([as_target, source]), "back").chunk(2)
    target_again, same_target = maker(torch.cat([as_source, target]), "there").chunk(2)
    again = F.l1_loss(source_again, source) + F.l1_loss(target_again, target)
    same = F.l1_loss(same_source, source) + F.l1_loss(same_target, target)
    yield deceived + 10 * again + 5 * same
    critic.requires_grad_(True)
    with torch.no_grad():
        as_source, as_target = maker(target, "back"), maker(source, "there")
    real = torch.cat([critic(source, "back"), critic(target, "there")], 1)
    made = torch.cat([critic(as_source, "back"), critic(as_target, "there")], 1)
    yield (real - 0.5).square().mean() + (made + 0.5).square().mean()


LOSSES: dict[type, Callable[[Any, Batch, torch.Generator], Iterable[Tensor]]] = {
    Audio: velocity_of_sounds,
    Autoencoder: reconstruction,
    CausalLM: next_token,
    CycleGAN: cycle,
    Diffusion: noise_of_pictures,
    Gan: hinge,
    MaskedLM: masked_tokens,
    Molecules: next_token,
    Seq2Seq: translation,
    TextToImage: noise_of_latents,
    VAE: evidence,
}
