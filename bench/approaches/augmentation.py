"""More data out of little: training batches are changed in ways that keep their meaning."""

import math
from collections.abc import Callable
from types import MethodType

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.options import Fraction, NonNegative, Positive
from bench.transfer import Transfer, Transform

_SEED = 50_000  # of the changes to what a critic sees: other numbers than those that make the batches
_EVERY = 4  # steps between two changes of the strength, as in the paper


def augmentation(
    transfer: Transfer,
    *,
    rotation: NonNegative = 10.0,
    scaling: Fraction = 0.1,
    shift: Fraction = 0.1,
    flip: Fraction = 0.0,
    token_noise: Fraction = 0.1,
    gain: NonNegative = 3.0,
    hiss: NonNegative = 0.003,
    adaptive: bool = False,
    target: Fraction = 0.6,
    ramp: Positive = 0.1,
) -> None:
    """Images are turned, scaled, shifted, flipped; sounds get another time, level and noise; texts other input tokens.

    Replaced tokens come from the batch's own tokens, so from its unigram distribution, and the model still has to
    predict the clean ones. Sounds are shifted in time, and silence fills up. Validation and test data are never
    changed.

    Where a critic tells real images from generated ones, it is shown both only after they were changed in this way, so
    that the generator does not learn to make changed images. How many are changed may then be adapted: more as soon as
    the critic is so sure of real images that it seems to know them by heart.

    Paper: Shorten & Khoshgoftaar 2019, A survey on Image Data Augmentation; Xie et al. 2017, Data Noising as Smoothing
    in Neural Network Language Models; Karras et al. 2020, Training Generative Adversarial Networks with Limited Data
    (adaptive strength)

    Args:
        rotation: largest angle in degrees, either way.
        scaling: largest relative change of size.
        shift: largest shift as a share of the image's side, or of the sound's length.
        flip: probability of a left-right flip; 0 where mirrored things mean something else, as letters do.
        token_noise: probability that an input token is replaced.
        gain: largest change of a sound's loudness, in dB, either way.
        hiss: largest root mean square of white noise that is added to a sound, as a share of full scale.
        adaptive: whether each kind of change is made with a probability that follows the critic; otherwise always.
        target: mean sign of what the critic says of real images, above which the probability rises, and else falls.
        ramp: share of the steps in which the probability could go from none to one; in the paper's far longer
            trainings 0.02.
    """
    if adaptive and "critic" not in transfer.model.offers:
        kind = type(transfer.model).__name__
        raise NotApplicable(f"an adaptive strength follows what a critic says of real images, and {kind} has none")
    strength = _Strength(transfer, target, ramp) if adaptive else None

    def images(batch: Batch, generator: torch.Generator) -> Batch:
        pixels = batch["images"]
        made = torch.ones(4, len(pixels)) if strength is None else strength.draw(len(pixels), generator)
        flips = (torch.rand(len(pixels), generator=generator) < flip) * made[3]
        aspect = pixels.shape[2] / pixels.shape[3]
        sizes = torch.tensor([math.radians(rotation), scaling, 2 * shift])[:, None] * made[:3]
        matrices = _affine(sizes, flips, aspect, generator)
        grid = F.affine_grid(matrices.to(pixels), list(pixels.shape), align_corners=False)
        moved = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
        return batch | {"images": moved}

    def texts(batch: Batch, generator: torch.Generator) -> Batch:
        return transfer.model.corrupted(batch, token_noise, generator)

    def sounds(batch: Batch, generator: torch.Generator) -> Batch:
        return batch | {"sounds": _sounding(batch["sounds"], shift, gain, hiss, generator)}

    rows = transfer.encode(transfer.data.train)
    if "sounds" in rows:
        transfer.transforms.append(sounds)
    elif "images" not in rows:
        transfer.transforms.append(texts)
    elif "critic" in transfer.model.offers:
        _before_the_critic(transfer, images, strength.note if strength else lambda said: None)
    else:
        transfer.transforms.append(images)


def _before_the_critic(transfer: Transfer, change: Transform, note: Callable[[Tensor], None]) -> None:
    """In training, whatever a critic sees goes through ``change`` first; ``note`` hears what it says of real images."""
    asked = transfer.model.realness
    judge = asked.__func__ if isinstance(asked, MethodType) else lambda model, *given: asked(*given)
    generator = torch.Generator().manual_seed(transfer.seed * 1_000_003 + _SEED)

    def realness(model: Model, batch: Batch, outputs: Tensor | None = None) -> Tensor:
        if not model.training:
            said: Tensor = judge(model, batch, outputs)
        elif outputs is not None:
            said = judge(model, batch, change({"images": outputs}, generator)["images"])
        else:
            said = judge(model, change(batch, generator))
            note(said.detach())
        return said

    # of this one model; as a method, so that a copy of the model asks its own critic
    transfer.model.realness = MethodType(realness, transfer.model)  # type: ignore[method-assign]


class _Strength:
    """The probability of each kind of change, after the signs of what a critic says of real images."""

    def __init__(self, transfer: Transfer, target: float, ramp: float) -> None:
        self.transfer, self.target, self.ramp = transfer, target, ramp
        self.probability, self.steps, self.signs = 0.0, 0, list[Tensor]()
        transfer.schedule.append(self._adapt)

    def draw(self, rows: int, generator: torch.Generator) -> Tensor:
        """Ones where a change is made and zeros where it is not, for four kinds of change: shape (4, rows)."""
        return (torch.rand(4, rows, generator=generator) < self.probability).float()

    def note(self, said: Tensor) -> None:
        self.signs.append(said.sign())

    def _adapt(self, progress: float) -> None:
        if self.steps % _EVERY == 0 and self.signs:
            sure = float(torch.cat(self.signs).mean()) > self.target
            change = _EVERY / (self.ramp * self.transfer.steps)
            self.probability = min(1.0, max(0.0, self.probability + (change if sure else -change)))
            self.signs.clear()
        self.steps += 1


def _sounding(waves: Tensor, shift: float, gain: float, hiss: float, generator: torch.Generator) -> Tensor:
    """Each sound of shape (rows, samples) at another time and level, with some noise; none is louder than full scale.

    Args:
        waves: from -1 to 1.
        shift: largest shift, as a share of the length; silence fills up.
        gain: largest change of level in dB.
        hiss: largest root mean square of the noise.
    """
    length = waves.shape[1]
    moved, level, noise = torch.rand(3, len(waves), 1, generator=generator)
    places = torch.arange(length) - torch.round((2 * moved - 1) * shift * length).long()
    inside = ((places >= 0) & (places < length)).to(waves.device)
    waves = waves.gather(1, places.clamp(0, length - 1).to(waves.device)) * inside
    louder = 10 ** ((2 * level - 1) * gain / 20)
    added = hiss * noise * torch.randn(waves.shape, generator=generator)
    sounding: Tensor = (waves * louder.to(waves) + added.to(waves)).clamp(-1, 1)
    return sounding


def _affine(sizes: Tensor, flips: Tensor, aspect: float, generator: torch.Generator) -> Tensor:
    """Random affine maps from output to input coordinates, shape (rows, 2, 3).

    Coordinates run from -1 to 1 on either axis, so turning needs ``aspect``, height over width, to keep right angles.

    Args:
        sizes: largest angle, relative change of size, and shift, shape (3, rows).
        flips: which are mirrored, shape (rows,).
    """
    angle, scaling, shift = sizes
    angles, scales, right, down = (2 * torch.rand(4, len(flips), generator=generator) - 1).unbind()
    cos, sin = torch.cos(angles * angle), torch.sin(angles * angle)
    size = 1 / (1 + scales * scaling)
    mirror = 1 - 2 * flips.to(size)
    across = torch.stack([size * cos * mirror, -size * sin * aspect, right * shift], dim=1)
    along = torch.stack([size * sin * mirror / aspect, size * cos, down * shift], dim=1)
    return torch.stack([across, along], dim=1)
