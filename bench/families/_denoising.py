"""What families that learn to remove noise share: how noise is added and taken away again, and smaller U-Nets."""

import json
import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, IPNDMScheduler
from torch import Tensor

from bench.errors import Incompatible, NotApplicable
from bench.families._errors import one_line

Predict = Callable[[Tensor, Tensor], Tensor]
"""(noisy data, timestep) to a network's prediction, of the data's shape."""


class Discrete:
    """Noise as diffusers' ``DDPMScheduler`` adds it, in whole timesteps; taken away with DDIM.

    Paper: Ho et al. 2020, Denoising Diffusion Probabilistic Models; Song et al. 2021, Denoising Diffusion Implicit
    Models
    """

    def __init__(self, scheduler: DDPMScheduler) -> None:
        self.scheduler = scheduler

    def timesteps(self, rows: int, generator: torch.Generator) -> Tensor:
        """A chance timestep for every row, on the CPU."""
        return torch.randint(self.scheduler.config.num_train_timesteps, (rows,), generator=generator)

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        added: Tensor = self.scheduler.add_noise(clean, noise, timesteps)
        return added

    def wanted(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What a network is to predict, after the scheduler's ``prediction_type``."""
        kind = self.scheduler.config.prediction_type
        if kind == "epsilon":
            return noise
        if kind == "sample":
            return clean
        velocity: Tensor = self.scheduler.get_velocity(clean, noise, timesteps)
        return velocity

    def denoise(self, predict: Predict, start: Tensor, steps: int, eta: float, generator: torch.Generator) -> Tensor:
        """Noise turned into data; where ``eta`` is above zero, new noise comes in at each step."""
        scheduler, data = DDIMScheduler.from_config(self.scheduler.config), start
        scheduler.set_timesteps(steps, device=start.device)
        for timestep in scheduler.timesteps:
            predicted = predict(data, timestep)
            variance = torch.randn(start.shape, generator=generator).to(start.device) if eta else None
            data = scheduler.step(predicted, timestep, data, eta=eta, variance_noise=variance).prev_sample
        return data

    def fault(self, steps: int) -> str:
        """Why it cannot be used; empty where it can."""
        config = self.scheduler.config
        if config.prediction_type not in ("epsilon", "v_prediction", "sample"):
            return f"unknown prediction_type {config.prediction_type!r} of its scheduler; use epsilon"
        many, betas = config.num_train_timesteps, self.scheduler.betas
        if many < 1 or len(betas) != many:
            return f"its scheduler has {len(betas)} betas for {many} num_train_timesteps; give it one for each"
        if not bool(((betas >= 0) & (betas <= 1)).all()):  # nor is NaN a share
            lie = f"lie from {float(betas.min()):g} to {float(betas.max()):g}"
            return f"its scheduler's betas {lie}; they are shares of noise, from 0 to 1"
        if steps > many:
            return f"{steps} inference_steps, its scheduler has {many}; ask for {many} or fewer"
        return ""


class Continuous:
    """Noise as Dance Diffusion adds it: an angle between data and noise for any time from 0 to 1, times drawn denser
    near the ends ("crash schedule"); the network predicts the velocity. Taken away with DDIM rather than with the
    linear multistep method of diffusers' ``IPNDMScheduler``, whose times are the same.

    Paper: Salimans & Ho 2022, Progressive Distillation for Fast Sampling of Diffusion Models (velocity, its DDIM)
    """

    def __init__(self, scheduler: IPNDMScheduler) -> None:
        self.scheduler = scheduler

    def timesteps(self, rows: int, generator: torch.Generator) -> Tensor:
        return _crash(torch.rand(rows, generator=generator))

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        kept, added = _angle(timesteps, clean)
        return kept * clean + added * noise

    def wanted(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        kept, added = _angle(timesteps, clean)
        return kept * noise - added * clean

    def denoise(self, predict: Predict, start: Tensor, steps: int, eta: float, generator: torch.Generator) -> Tensor:
        times = _crash(torch.linspace(1, 0, steps + 1)).to(start.device)
        data = start
        for time, after in pairwise(times):
            (kept, added), (keeps, adds) = _angle(time[None], start), _angle(after[None], start)
            velocity = predict(data, time)
            clean, noise = kept * data - added * velocity, added * data + kept * velocity
            fresh = eta * adds / added * (1 - (kept / keeps) ** 2).clamp(min=0).sqrt()
            data = keeps * clean + (adds**2 - fresh**2).clamp(min=0).sqrt() * noise
            if eta:
                data = data + fresh * torch.randn(start.shape, generator=generator).to(start.device)
        return data

    def fault(self, steps: int) -> str:
        own = self.scheduler.config.trained_betas
        return "its scheduler has trained_betas, which its times do not follow; take them out" if own else ""


def _crash(times: Tensor) -> Tensor:
    """Even times as those the model is trained and sampled at."""
    added = torch.sin(times * math.pi / 2) ** 2
    return torch.atan2(added, (1 - added**2).clamp(min=0).sqrt()) / math.pi * 2


def _angle(times: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the data and of the noise at these times, in the data's number of dimensions."""
    times = times.view(-1, *[1] * (data.dim() - 1)) * (math.pi / 2)
    return torch.cos(times), torch.sin(times)


def unfit(network: Any, **beside: Tensor) -> str:
    """Why a U-Net of two dimensions does not run on data of the sizes that its config says; empty where it does.

    It is tried on the meta device, where tensors are shapes alone: once in a process, as it takes 0.3 s.
    """
    given = tuple((name, tuple(value.shape), value.dtype) for name, value in beside.items())
    kind: Any = type(network)
    return _unfit(kind, network.to_json_string(), given)


@cache
def _unfit(kind: Any, config: str, given: tuple[tuple[str, tuple[int, ...], torch.dtype], ...]) -> str:
    stated = json.loads(config)
    channels, size = stated["in_channels"], stated["sample_size"]
    sizes = (channels, *((size, size) if isinstance(size, int) else size))
    try:
        with torch.device("meta"), torch.no_grad():
            beside = {name: torch.empty(shape, dtype=dtype) for name, shape, dtype in given}
            data, time = torch.empty(1, *sizes), torch.zeros(1, dtype=torch.int64)
            made = tuple(kind.from_config(stated)(data, time, **beside).sample.shape[1:])
    except Exception as error:
        return f"its network does not run on data of {_by(sizes)} ({one_line(error)}); give it another sample_size"
    return "" if made == sizes else f"its network turns data of {_by(sizes)} into {_by(made)}; name another"


def _by(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def _heads_beyond(config: dict[str, Any]) -> int:
    """Channels of an attention head, where a block that attends has fewer in its half; diffusers would give it none."""
    head, kinds = config.get("attention_head_dim"), config["down_block_types"]
    attending = [width for width, kind in zip(config["block_out_channels"], kinds, strict=True) if "Attn" in kind]
    attending += [config["block_out_channels"][-1]] * bool(config.get("add_attention", True))  # in the middle
    return int(head) if head and min(attending, default=math.inf) // 2 < head else 0


def smaller(network: Any) -> Any:
    """A U-Net with half the residual layers of each block, started from this one's where they fit; where a block has
    only one, or none that the configuration counts, with half the channels, started anew.

    Raises :class:`NotApplicable` where there is no smaller one, :class:`Incompatible` where diffusers makes none.
    """
    config = dict(network.config)
    channels, groups = config["block_out_channels"], config["norm_num_groups"]
    one_dimensional = "extra_in_channels" in config  # blocks of a UNet1DModel have a fixed number of layers
    if config["layers_per_block"] > 1 and not one_dimensional:
        config["layers_per_block"] //= 2
    elif one_dimensional and min(channels[-1] // 64, *(width % 2 == 0 for width in channels)):
        # attention has a head for every 32 channels; the embedding of time keeps the width that the input has for it
        config["block_out_channels"] = tuple(width // 2 for width in channels)
        config["time_embedding_dim"] = config["time_embedding_dim"] or config["extra_in_channels"] or None
    elif not one_dimensional and (widest := _heads_beyond(config)):
        raise NotApplicable(f"no smaller U-Net: attention needs {widest} channels, and half of {channels} are fewer")
    elif not one_dimensional and all(width % (2 * groups) == 0 for width in channels):
        config["block_out_channels"] = tuple(width // 2 for width in channels)
    elif one_dimensional:
        raise NotApplicable(f"no smaller U-Net: {channels} channels, of which attention needs 32 in the half")
    else:
        raise NotApplicable(f"no smaller U-Net: one layer per block, and {channels} channels in {groups} groups")
    try:
        made = type(network).from_config(config)
    except Exception as error:
        raise Incompatible(f"no smaller U-Net of this architecture: {one_line(error)}", "diffusers") from error
    ours, theirs = made.state_dict(), network.state_dict()
    same = {name: theirs[name] for name, value in ours.items() if name in theirs and theirs[name].shape == value.shape}
    made.load_state_dict(ours | same)
    return made
