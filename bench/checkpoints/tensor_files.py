"""Files of weights, without reading a weight: whether they are there, whole, and in a form that runs no code."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from bench.checkpoints import kinds
from bench.errors import Unusable
from bench.words import cut

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_STEMS = ("model", "diffusion_pytorch_model")  # what transformers and diffusers call them
_AGAIN = "download or save it again"
_POINTER = b"version https://git-lfs"


def check(folder: Path) -> int:
    """How many numbers the weights in a folder are; :class:`Unusable` unless its library would load them, all whole."""
    loaded = [folder / f"{stem}.safetensors" for stem in _STEMS]
    files = [path for path in loaded if path.is_file()]
    for index in (Path(f"{path}.index.json") for path in loaded):
        if not files and index.is_file():
            files = sorted({folder / name for name in _parts(index)})
            for path in files:
                if not path.is_file():
                    raise Unusable(f"its {index.name} names {path.name}, which is not there", _AGAIN)
    if not files:
        raise Unusable(*_lacking(folder))
    return sum(map(whole, files))


def check_any(checkpoint: Path) -> None:
    """Raise :class:`Unusable` where no file anywhere in a checkpoint holds weights in safetensors."""
    if not any(checkpoint.rglob("*.safetensors")):
        raise Unusable(*_lacking(checkpoint))


def whole(path: Path) -> int:
    """How many numbers a file of tensors holds; :class:`Unusable` where it is cut off, or none of tensors.

    The format: eight bytes that say how long a JSON header is, the header, and the bytes that it says where they are.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        if first + file.read(len(_POINTER) - 8) == _POINTER:
            raise Unusable(f"its {path.name} is a pointer of Git LFS and no weights", "fetch them: git lfs pull")
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > size - 8:
            raise Unusable(f"its {path.name} is cut off, or no safetensors", _AGAIN)
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            about = {name: entry for name, entry in header.items() if name != "__metadata__"}
            count = sum(math.prod(int(side) for side in entry["shape"]) for entry in about.values())
            end = 8 + length + max((int(entry["data_offsets"][1]) for entry in about.values()), default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise Unusable(f"its {path.name} is no safetensors", _AGAIN) from error
    if end != size:
        rest = f"is cut off: {size} of {end} bytes are there" if end > size else f"has {size - end} bytes too many"
        raise Unusable(f"its {path.name} {rest}", _AGAIN)
    return count


def _parts(index: Path) -> Iterator[str]:
    """The files that weights are spread over, all of them beside the index."""
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        for name in named:
            if Path(name).name != name:  # which its library would follow out of the checkpoint
                raise Unusable(f"its {index.name} names {cut(name, 100)!r}, which is not beside it", _AGAIN)
            yield name
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unusable(f"its {index.name} names no files", _AGAIN) from error


def _lacking(folder: Path) -> tuple[str, str]:
    """What a folder without weights lacks."""
    where = f"its folder {folder.name} holds" if (folder.parent / "model_index.json").is_file() else "it holds"
    again = "save the model again with save_pretrained, as safetensors"
    of_diffusers = "_class_name" in kinds.read(folder / kinds.CONFIG)  # those of transformers name a type
    loaded = f"{_STEMS[of_diffusers]}.safetensors"
    for path in sorted(folder.glob("*.safetensors")):
        if path.is_dir():
            return f"{where} a folder of the name {path.name}", again
        if not path.exists():
            return f"{where} a link {path.name} to a file that is not there ({path.readlink()})", _AGAIN
    if found := sorted(path.name for path in folder.glob("*.safetensors")):
        return f"{where} weights under another name ({found[0]}) than is loaded ({loaded})", again
    if found := sorted(path.name for pattern in PICKLES for path in folder.rglob(pattern)):
        return f"{where} pickle weights only ({found[0]}), which can run code", again
    return f"{where} no weights", "it needs config.json and *.safetensors"
