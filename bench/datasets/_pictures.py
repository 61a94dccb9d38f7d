"""A user's pictures, of whatever kind, as squares of one size and number of channels."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from bench.datasets._files import Damaged, Remark, one_line
from bench.errors import PluginError

_SIDES = 8, 1024
_DEEP = ("PNG", "PPM", "TIFF", "JPEG2000")  # whose whole numbers of up to 16 bits fill a range that the file states
_BITS, _PHOTOMETRIC = 258, 262  # tags of a TIFF
_UNFIT = ("EPS", "MPEG")  # for the first Pillow starts another program, of the second it only knows the size
_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # a PNG's parts that say what is to be seen
_PROGRESSIVE = 2  # times as many pixels may a JPEG have that is held in full, if not as pixels


def check_size(dataset: str, size: int) -> None:
    """Raise :class:`PluginError` unless pictures of ``size`` by ``size`` pixels can be made."""
    low, high = _SIDES
    if not low <= size <= high:
        raise PluginError(f"dataset {dataset}: option 'size': {size} will not do; it should be {low} to {high} pixels")


@cache
def formats() -> tuple[str, ...]:
    """What Pillow, as it is installed, can open by itself."""
    Image.init()
    stubs = {
        name for name, (opens, _) in Image.OPEN.items() if isinstance(opens, type) and issubclass(opens, _STUB)
    }  # which know a format's name, and leave it to others to read it
    return tuple(name for name in Image.ID if name in Image.OPEN and name not in {*stubs, *_UNFIT})


_STUB = ImageFile.StubImageFile


@cache
def endings() -> frozenset[str]:
    """Endings of files that Pillow can open, such as ``.jfif``."""
    readable = {*formats(), "MPO"}  # which is a JPEG with others behind it
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in readable)


def read(file: Path | bytes, size: int, mode: str, crop: str, remarks: list[Remark]) -> np.ndarray:
    """A picture as uint8 of shape (size, size, 1 or 3).

    The first frame of an animation is taken, turned as its camera says; what is transparent becomes white; 16 bits
    become 8; colour profiles are not applied.

    Args:
        file: the picture's, or what it holds.
        size, mode, crop: as options say.
        remarks: is given what was done beside that.

    Raises:
        Damaged: it is no picture that Pillow can read, is cut short, has levels of no known range, or would unfold to
            more pixels than Pillow allows.
    """
    try:
        return _squared(_opened(file, size, remarks), size, mode, crop)
    except (Damaged, MemoryError):
        raise
    except UnidentifiedImageError:
        problem: Exception = Damaged("no picture that Pillow can read")
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        problem = Damaged(one_line(error))
    try:
        bare = _bare(file)  # what is no pixel may be damaged, and viewers show the picture all the same
        found = _squared(_opened(bare, size, []), size, mode, crop) if bare else None
    except Exception:
        found = None
    if found is None:
        raise problem
    remarks.append(Remark("with damaged notes (EXIF and the like), taken without them, as they lie", "picture"))
    return found


def _opened(file: Path | bytes, size: int, remarks: list[Remark]) -> Image.Image:
    """In 8-bit grey or RGB, as its camera was held."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities in a file's notes …
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # … but not of one that fills the memory
        with _header_only():
            picture = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=formats())
        with picture:
            said: list[Remark] = []
            if picture.format != "MPO" and getattr(picture, "is_animated", False):
                said.append(Remark("of several frames, of which the first is taken", "picture"))
            _fitting(picture, size)
            picture.load()
            try:
                turned = ImageOps.exif_transpose(picture)
            except Exception:  # damaged notes, since the pixels are read already
                turned = picture.copy()
                said.append(Remark("with damaged notes (EXIF and the like), taken as they lie", "picture"))
            flat = _flat(turned, _range(picture))
            remarks += said
            return flat


@contextmanager
def _header_only() -> Iterator[None]:
    """Opening a file unfolds none of it: how large it is is judged when it is known how much of that is needed."""
    allowed, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = allowed


def _fitting(picture: Image.Image, size: int) -> None:
    """Have a JPEG unfolded to no more than is needed; :class:`Damaged` where it is too large all the same."""
    allowed, full = Image.MAX_IMAGE_PIXELS or float("inf"), picture.width * picture.height
    picture.draft(None, (2 * size, 2 * size))
    unfolded = picture.width * picture.height
    if picture.info.get("progressive"):
        unfolded = max(unfolded, full // _PROGRESSIVE)
    if unfolded > allowed:
        raise Damaged(f"it would unfold to {full:,} pixels; {round(allowed):,} are allowed")


def _range(picture: Image.Image) -> tuple[int, int] | None:
    """The levels of black and white, where they are whole numbers of more than 8 bits; None where nothing says."""
    if picture.format not in _DEEP:
        return None
    if not isinstance(picture, TiffImageFile):
        return 0, 65535
    bits, inverted = picture.tag_v2.get(_BITS, (1,))[0], picture.tag_v2.get(_PHOTOMETRIC) == 0
    if not (picture.mode.startswith("I;") and 8 < bits <= 16):
        return None
    return (2**bits - 1, 0) if inverted else (0, 2**bits - 1)  # Pillow turns over 8 bits, and no more


def _flat(picture: Image.Image, ends: tuple[int, int] | None) -> Image.Image:
    """In 8-bit grey or RGB, on white."""
    if picture.mode.startswith("I"):
        levels = np.asarray(picture).astype(np.int64)
        if not ends or levels.min() < min(ends) or levels.max() > max(ends):
            raise Damaged("its levels are whole numbers of no known range")
        black, white = ends
        return Image.fromarray(np.round((levels - black) * (255 / (white - black))).astype(np.uint8))
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


def _bare(file: Path | bytes) -> bytes:
    """A PNG without its notes, which come with lengths and check sums of their own; empty for anything else."""
    data = file if isinstance(file, bytes) else file.read_bytes()
    if not data.startswith(_PNG):
        return b""
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] in _PIXELS:
            kept.append(data[place:end])
        place = end
    return b"".join(kept)
