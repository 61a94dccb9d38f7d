"""A user's pictures, of whatever kind, as squares of one size and number of channels."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bench.datasets._files import Damaged, one_line
from bench.errors import PluginError

_SIDES = 8, 1024
_DEEP = 257  # 65,535 levels to 255


def check_size(dataset: str, size: int) -> None:
    """Raise :class:`PluginError` unless pictures of ``size`` by ``size`` pixels can be made."""
    low, high = _SIDES
    if not low <= size <= high:
        raise PluginError(f"dataset {dataset}: option 'size': {size} will not do; it should be {low} to {high} pixels")


def read(file: Path | bytes, size: int, mode: str, crop: str) -> np.ndarray:
    """A picture as uint8 of shape (size, size, 1 or 3).

    The first frame of an animation is taken, turned as its camera says; what is transparent becomes white; 16 bits
    become 8.

    Raises:
        Damaged: it is no picture that Pillow can read, is cut short, or would unfold to more pixels than Pillow allows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities in a file's notes …
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # … but not of one that fills the memory
            with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as picture:
                picture.draft(None, (2 * size, 2 * size))  # a large JPEG need not be unfolded in full
                return _squared(_flat(ImageOps.exif_transpose(picture)), size, mode, crop)
    except (Damaged, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise Damaged(one_line(error)) from error


def _flat(picture: Image.Image) -> Image.Image:
    """In 8-bit grey or RGB, on white."""
    if picture.mode.startswith("I"):
        levels = np.asarray(picture)
        if levels.min() < 0 or levels.max() > 255 * _DEEP:
            raise Damaged("its levels are neither 8 nor 16 bits deep")
        return Image.fromarray(np.round(levels / _DEEP).astype(np.uint8))
    if picture.mode == "F":
        raise Damaged("its levels are floating-point numbers of no known range")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture if picture.mode in ("L", "RGB") else picture.convert("L" if picture.mode == "1" else "RGB")


def _squared(picture: Image.Image, size: int, mode: str, crop: str) -> np.ndarray:
    picture = picture.convert("RGB" if mode == "rgb" else "L")
    if crop == "centre":
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    else:
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture).reshape(size, size, -1)
