"""A small classifier of drawn and handwritten characters, trained here; its penultimate layer is the space."""

import importlib
import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench import cache, plugins
from bench.dataset import Items
from bench.features._classifier import fit, reproducible

MODALITY = "image"

_SOURCES = ("glyphs", "handwritten_digits")
_SIDE, _WIDTH = 16, 64
_EPOCHS, _BATCH, _RATE = 10, 64, 4e-3
_TURN, _GROW, _SHIFT = 0.15, 0.12, 0.12  # of augmentation: radians, share, share of half the picture's side


class DigitClassifier:
    """64 features of a convolutional network that tells the characters of glyphs and handwritten_digits apart.

    It learns 62 classes (digits and letters, either hand) from the training splits of both domains, once per machine,
    in seconds on one core, and never sees their test splits. The features are standardised over the training data.

    Attributes:
        accuracy: domain to the share of its test split that is classified right. Characters that only context tells
            apart (O and 0, l and I) cost the glyphs some of it.
    """

    def __init__(self) -> None:
        code = {name: plugins.find("datasets", name).version() for name in _SOURCES}
        code["classifier"] = plugins.find("features", "digit_classifier").version()
        folder = cache.folder("features", {"space": "digit_classifier", "code": code}, _train)
        about = json.loads((folder / "about.json").read_text())
        self.accuracy: dict[str, float] = about["accuracy"]
        self.classes: list[str] = about["classes"]
        with torch.device("meta"):  # no random numbers are drawn for weights that are read
            self._network = _network(len(about["classes"]))
        self._network.load_state_dict(load_file(folder / "network.safetensors"), assign=True)
        self._network.eval()

    def __call__(self, items: Items) -> np.ndarray:
        """Images (uint8, shape (N, H, W, 1 or 3)) to float32 features of shape (N, 64)."""
        with torch.inference_mode():
            images = _prepared(items)
            return torch.cat([self._network[:-1](part) for part in torch.split(images, 256)]).numpy()

    def classify(self, items: Items, among: Iterable[str] = ()) -> list[str]:
        """Images as above to the most probable of the characters ``among``, or of all ``classes``."""
        known = list(among) or self.classes
        columns = [self.classes.index(character) for character in known]
        with torch.inference_mode():
            scores = torch.cat([self._network(part) for part in torch.split(_prepared(items), 256)])[:, columns]
        return [known[index] for index in scores.argmax(1).tolist()]

    def named(self, caption: str) -> str:
        """The character that a caption says is to be seen; empty where it ends in none.

        Digits go by their names, as in "a handwritten seven", letters as in "a bold serif capital A" or "a small a".
        """
        ends = caption.lower().split()[-2:]
        return next((known for known in self.classes if ends[-len(_words(known)) :] == _words(known)), "")


def _words(character: str) -> list[str]:
    """``["seven"]`` for 7, ``["capital", "a"]`` for A."""
    name = unicodedata.name(character).lower().split()
    return name[1:] if character.isdigit() else [name[1], name[3]]


def _network(classes: int) -> nn.Sequential:
    """Characters from 16 by 16 pixels: three convolutions, the features, and a head of ReLU and one linear layer."""

    def convolution(inputs: int, outputs: int) -> list[nn.Module]:
        kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return [kernel, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *convolution(1, 16),
        *convolution(16, 32),
        *convolution(32, 64),
        nn.Flatten(),
        nn.Linear(64 * (_SIDE // 8) ** 2, _WIDTH, bias=False),
        nn.BatchNorm1d(_WIDTH, affine=False),
        nn.Sequential(nn.ReLU(), nn.Linear(_WIDTH, classes)),
    )


def _prepared(images: Items) -> Tensor:
    """uint8 images of any size as grey ones of 16 by 16 pixels: float32, shape (N, 1, 16, 16), from -1 to 1."""
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    if pixels.shape[1] == 3:
        pixels = (pixels * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    return F.interpolate(pixels, (_SIDE, _SIDE), mode="bilinear", antialias=True)


def _train(folder: Path) -> None:
    """Train the network and write it, with its classes and its accuracy, into ``folder``."""
    data = {name: _labelled(name) for name in _SOURCES}
    classes = np.unique(np.concatenate([labels for splits in data.values() for _, labels in splits.values()]))
    images = torch.cat([_prepared(splits["train"][0]) for splits in data.values()])
    targets = torch.cat([_classes(classes, splits["train"][1]) for splits in data.values()])
    with reproducible():
        network = _network(len(classes))
        fit(network, images, targets, _varied, epochs=_EPOCHS, size=_BATCH, rate=_RATE)
        network.eval()
        with torch.no_grad():
            right = {
                name: (network(_prepared(splits["test"][0])).argmax(1) == _classes(classes, splits["test"][1])).float()
                for name, splits in data.items()
            }
    save_file(network.state_dict(), folder / "network.safetensors")
    about = {"classes": classes.tolist(), "accuracy": {name: float(share.mean()) for name, share in right.items()}}
    (folder / "about.json").write_text(json.dumps(about, indent=1))


def _labelled(dataset: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    module = importlib.import_module(plugins.find("datasets", dataset).module)
    splits: dict[str, tuple[np.ndarray, np.ndarray]] = module.labelled(size=_SIDE)
    return splits


def _classes(classes: np.ndarray, labels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.searchsorted(classes, labels))


def _varied(images: Tensor) -> Tensor:
    """Each image turned, scaled and shifted a little; what comes into view is black."""
    most = torch.tensor([_TURN, _GROW, _SHIFT, _SHIFT])[:, None]
    turn, grow, right, down = most * (2 * torch.rand(4, len(images)) - 1)
    cos, sin = (1 + grow) * turn.cos(), (1 + grow) * turn.sin()
    matrices = torch.stack([torch.stack([cos, -sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1
