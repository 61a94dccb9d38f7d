"""A user's pictures: of any kind, in splits, damaged ones counted, and never all of them in memory."""

import hashlib
import io
import os
import re
import shutil
import struct
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench import dataset, dataset_cache, plugins
from bench.dataset import SPLITS, Dataset
from bench.datasets import _pictures
from bench.datasets.image_folder import content, image_folder
from bench.errors import DataError, PluginError


def noise(seed: int, height: int = 12, width: int = 12, channels: int = 3) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


def folder(into: Path, count: int = 20, start: int = 0) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    for seed in range(start, start + count):
        noise(seed).save(into / f"{seed}.png")
    return into


def read(path: Path, size: int = 8, **options: Any) -> np.ndarray:
    """What becomes of one picture: it is the only one of the test split."""
    into = path.parent / "alone"
    folder(into / "train")
    (into / "test").mkdir()
    shutil.copy(path, into / "test")
    data = image_folder(path=str(into), size=size, **options)
    shutil.rmtree(into)
    assert (len(data.test), data.skipped) == (1, 0)
    return np.asarray(data.test[0])


def digests(data: Dataset) -> dict[str, set[bytes]]:
    return {split: {item.tobytes() for item in getattr(data, split)} for split in SPLITS}


def test_splits_follow_content_whatever_files_are_called(tmp_path: Path) -> None:
    one = image_folder(path=str(folder(tmp_path / "one", 40)), size=8)
    assert [len(getattr(one, split)) for split in SPLITS] == [32, 4, 4]
    assert one.train.shape == (32, 8, 8, 3)  # type: ignore[union-attr]
    other = folder(tmp_path / "other", 40)
    for number, path in enumerate(sorted(other.iterdir())):
        path.rename(other / f"renamed {97 * number % 40}.png")
    assert image_folder(path=str(other), size=8).fingerprint == one.fingerprint


def test_copies_count_once_and_what_is_held_out_stays_held_out(tmp_path: Path) -> None:
    folder(tmp_path / "Train", 20)
    folder(tmp_path / "test", 5, start=18)  # two of them are in the other folder too
    shutil.copy(tmp_path / "Train" / "3.png", tmp_path / "Train" / "copy.png")
    data = image_folder(path=str(tmp_path), size=8)
    assert [len(getattr(data, split)) for split in SPLITS] == [16, 2, 5]
    parts = list(digests(data).values())
    assert sum(map(len, parts)) == len(set.union(*parts)) == 23


@pytest.mark.parametrize("name", ["validation", "valid", "VAL", "dev"])
def test_folders_name_splits_and_others_groups(name: str, tmp_path: Path) -> None:
    for group, start in (("cats", 0), ("dogs", 100)):
        folder(tmp_path / "train" / group, 6, start)
        folder(tmp_path / group / name, 2, start + 50)
    data = image_folder(path=str(tmp_path), size=8)
    assert [len(getattr(data, split)) for split in SPLITS] == [11, 4, 1]
    assert data.groups is not None
    assert sorted(np.bincount(data.groups)) == [5, 6]


def test_kinds_of_pictures(tmp_path: Path) -> None:
    picture = noise(1, channels=1).resize((8, 8))
    grey = np.asarray(picture)[..., None]
    for suffix in ("png", "bmp", "tiff", "pgm", "webp"):
        picture.convert("RGB" if suffix == "webp" else "L").save(tmp_path / f"a.{suffix}", lossless=True)
        assert np.array_equal(read(tmp_path / f"a.{suffix}", mode="grey"), grey), suffix
    picture.save(tmp_path / "a.JPG", quality=100)
    assert abs(read(tmp_path / "a.JPG", mode="grey").astype(int) - grey).max() < 8
    assert np.array_equal(read(tmp_path / "a.png"), grey.repeat(3, axis=2))


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert np.array_equal(read(tmp_path / "deep.png", mode="grey")[..., 0], np.round(levels / 257))


def test_what_is_transparent_is_white_and_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.putpixel((0, 0), (10, 20, 30, 255))
    clear.save(tmp_path / "clear.png")
    found = read(tmp_path / "clear.png")
    assert found[0, 0].tolist() == [10, 20, 30]
    assert (found[1:] == 255).all()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "moves.gif")[4, 4].tolist() == [255, 0, 0]


def test_four_inks_and_turned_cameras(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "ink.tiff")
    assert read(tmp_path / "ink.tiff")[0, 0].tolist() == [255, 0, 0]
    turned = Image.new("L", (8, 8))
    turned.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "turned.png", exif=exif)
    assert read(tmp_path / "turned.png", mode="grey")[7, 7] == 255


def test_the_middle_is_cut_out_or_all_of_it_squeezed(tmp_path: Path) -> None:
    wide = Image.new("L", (24, 8))
    wide.paste(255, (8, 0, 16, 8))
    wide.save(tmp_path / "wide.png")
    assert (read(tmp_path / "wide.png", mode="grey") == 255).all()
    squeezed = read(tmp_path / "wide.png", mode="grey", crop="none")
    assert squeezed[:, 0].max() < 10
    assert squeezed[:, 4].min() > 200


ENDINGS = {"JPEG": ("jfif", "jpe"), "TGA": ("tga",), "JPEG2000": ("jp2",), "QOI": ("qoi",), "PNG": ("apng",)}


def test_whatever_pillow_reads_is_a_picture(tmp_path: Path) -> None:
    names = {f"a.{ending}": kind for kind, endings in ENDINGS.items() if kind in Image.SAVE for ending in endings}
    for name, kind in names.items():
        noise(1).save(tmp_path / name, kind)
        assert abs(read(tmp_path / name, 12).astype(int) - np.asarray(noise(1))).mean() < 50, name
    assert {".webp", ".mpo", ".png"} <= _pictures.endings()
    assert (".avif" in _pictures.endings()) == ("AVIF" in Image.OPEN)


def test_nothing_else_is(tmp_path: Path) -> None:
    """What Pillow leaves to another program is not even opened, whatever it is called."""
    assert not {".eps", ".ps", ".pdf", ".h5", ".mpg", ".txt", ".csv"} & _pictures.endings()
    folder(tmp_path)
    noise(1).save(tmp_path / "disguised.png", "EPS")
    (tmp_path / "video.mpg").touch()
    (tmp_path / "notes.txt").touch()
    data = image_folder(path=str(tmp_path), size=8)
    assert data.left_out("mine") == [
        "1 of 21 pictures of mine, the first: disguised.png: no picture that Pillow can read",
        "mine: 2 other files left out: 1 .mpg, 1 .txt",
    ]


def with_chunk(kind: bytes, body: bytes, check: int | None = None) -> bytes:
    """A PNG with one part more after its header."""
    file = io.BytesIO()
    noise(1).save(file, "PNG")
    sum_ = zlib.crc32(kind + body) if check is None else check
    made = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", sum_)
    return file.getvalue()[:33] + made + file.getvalue()[33:]


BROKEN_NOTES = {
    "no TIFF": with_chunk(b"eXIf", b"garbage"),
    "a wrong check sum": with_chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0", 1),
    "a text that unfolds to a hundred megabytes": with_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8))),
}


@pytest.mark.parametrize("kind", BROKEN_NOTES)
def test_a_picture_with_damaged_notes_is_read_and_counted(kind: str, tmp_path: Path) -> None:
    folder(tmp_path / "train")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.png").write_bytes(BROKEN_NOTES[kind])
    data = image_folder(path=str(tmp_path), size=12)
    assert np.array_equal(np.asarray(data.test[0]), np.asarray(noise(1)))
    assert data.skipped == 0
    assert data.remarks[0].startswith("1 picture with damaged notes (EXIF and the like), taken ")


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_levels_of_no_known_range_are_damaged_not_black(kind: Any, tmp_path: Path) -> None:
    folder(tmp_path)
    Image.fromarray((np.arange(64).reshape(8, 8) * 4).astype(kind)).save(tmp_path / "deep.tiff")
    data = image_folder(path=str(tmp_path), size=8)
    assert data.skipped == 1
    assert re.search("deep.tiff: its levels are (whole|floating-point) numbers of no known range", data.first)


def test_levels_of_a_range_that_the_file_states_fill_it(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for name in ("deep.tiff", "deep.jp2"):
        Image.fromarray(levels).save(tmp_path / name)
        assert abs(read(tmp_path / name, mode="grey")[..., 0] - np.round(levels / 257)).max() <= 1, name
    few = np.linspace(0, 1000, 64).round().astype(">u2")
    (tmp_path / "deep.pgm").write_bytes(b"P5 8 8 1000\n" + few.tobytes())
    assert abs(read(tmp_path / "deep.pgm", mode="grey").ravel() - few * 0.255).max() <= 1


def tiff(data: bytes, bits: int, photometric: int) -> bytes:
    """Eight by eight grey pixels as they are, with the tags that say what they mean."""
    tags = {256: 8, 257: 8, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 8, 279: len(data)}
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + listed + bytes(4)


def test_twelve_bits_and_what_is_white_at_zero(tmp_path: Path) -> None:
    levels = np.linspace(0, 4095, 64).round().astype(int)
    packed = int("".join(f"{level:012b}" for level in levels), 2).to_bytes(96, "big")
    (tmp_path / "twelve.tiff").write_bytes(tiff(packed, 12, 1))
    assert abs(read(tmp_path / "twelve.tiff", mode="grey").ravel() - levels * (255 / 4095)).max() <= 1
    deep = np.linspace(0, 65535, 64).round().astype("<u2")
    (tmp_path / "negative.tiff").write_bytes(tiff(deep.tobytes(), 16, 0))
    assert abs(read(tmp_path / "negative.tiff", mode="grey").ravel() - (255 - deep / 257)).max() <= 1


def test_a_jpeg_that_need_not_be_unfolded_is_read_however_large(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    noise(1, 20, 20).resize((400, 400)).save(tmp_path / "a.jpg")
    assert read(tmp_path / "a.jpg", 8).std() > 10
    folder(tmp_path / "mine")
    noise(1, 400, 400).save(tmp_path / "mine" / "b.png")
    noise(1, 400, 400).save(tmp_path / "mine" / "c.jpg", progressive=True)  # all of it is held in memory
    data = image_folder(path=str(tmp_path / "mine"), size=8)
    assert (data.skipped, data.first) == (2, "b.png: it would unfold to 160,000 pixels; 10,000 are allowed")
    assert Image.MAX_IMAGE_PIXELS == 10_000


def test_frames_that_are_left_out_are_told(tmp_path: Path) -> None:
    folder(tmp_path)
    for name in ("a.gif", "b.tiff"):
        noise(50 + len(name)).save(tmp_path / name, save_all=True, append_images=[noise(60)])
    data = image_folder(path=str(tmp_path), size=8)
    assert data.left_out("mine") == ["mine: 2 pictures of several frames, of which the first is taken"]


def bomb() -> bytes:
    """A small PNG that says it is a hundred thousand pixels wide and high."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def cut_short() -> bytes:
    file = io.BytesIO()
    noise(5, 64, 64).save(file, "PNG")
    return file.getvalue()[:3000]


DAMAGED = {"bomb": bomb(), "cut short": cut_short(), "empty": b"", "text": b"no picture"}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_pictures_are_skipped_and_counted(kind: str, tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "bad.png").write_bytes(DAMAGED[kind])
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no picture, nor taken for one")
    data = image_folder(path=str(tmp_path), size=8)
    assert data.skipped == 2
    assert sum(len(getattr(data, split)) for split in SPLITS) == 20


def only_damaged(path: Path) -> str:
    (path / "a.png").write_bytes(b"")
    (path / "b.png").write_bytes(b"")
    return "all 2 items of .* are damaged .*a.png.*; name one that holds image data"


def nothing(path: Path) -> str:
    (path / "notes.txt").write_text("")
    return r"holds no files that can be read \(\.apng, .*\); it holds 1 \.txt; name a folder that does"


def two_pictures(path: Path) -> str:
    folder(path, 2)
    return "2 distinct items in .*, none left for the train split; give it more"


def only_a_test_folder(path: Path) -> str:
    folder(path / "test", 2)
    return "2 distinct items in .*, none left for the train split"


@pytest.mark.parametrize("lay", [only_damaged, nothing, two_pictures, only_a_test_folder])
def test_folders_that_will_not_do(lay: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=lay(tmp_path)) as raised:
        image_folder(path=str(tmp_path))
    assert "\n" not in str(raised.value)
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize("path", ["", "no/such/folder", "~nobody-of-that-name/x", "a\0b"])
def test_paths_that_will_not_do(path: str) -> None:
    with pytest.raises(DataError, match=r"dataset image_folder: option 'path'.*; name"):
        image_folder(path=path)


@pytest.mark.parametrize("make", [image_folder, content])
def test_sizes_that_will_not_do(make: Any, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="'size': 4 will not do; it should be 8 to 1024"):
        make(path=str(tmp_path), size=4)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder(tmp_path / "pictures").parent))
    assert len(image_folder(path="~/pictures", size=8).train) == 16


def test_content_follows_what_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(folder(tmp_path / "a", 3))
    first = content(path=path, size=8)
    copied = shutil.copytree(path, tmp_path / "b")
    assert content(path=str(copied)) == first
    os.utime(copied / "1.png", (1, 1))
    assert content(path=str(copied)) == first
    noise(77).save(copied / "1.png")
    changed = content(path=str(copied))
    assert changed != first
    with monkeypatch.context() as patch:
        patch.setattr("bench.datasets._files.hashlib", SimpleNamespace(sha256=hashlib.sha256))  # nothing is read again
        assert content(path=str(copied)) == changed


def test_it_is_made_again_when_a_picture_changes(tmp_path: Path) -> None:
    options = {"path": str(folder(tmp_path)), "size": 8}
    before = dataset.load("image_folder", options)
    noise(99).save(tmp_path / "0.png")
    after = dataset.load("image_folder", options)
    assert before.fingerprint != after.fingerprint
    assert dataset_cache.sizes("image_folder", options) == {"train": 16, "validation": 2, "test": 2}


def test_pictures_are_on_disk_not_in_memory(tmp_path: Path) -> None:
    folder(tmp_path, 40)
    tracemalloc.start()
    data = image_folder(path=str(tmp_path), size=256)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = 40 * 256 * 256 * 3
    assert isinstance(data.train, np.memmap)
    assert peak < whole / 4


def test_options_are_checked_by_the_suite() -> None:
    with pytest.raises(PluginError, match="option 'mode'"):
        plugins.find("datasets", "image_folder").check({"path": "x", "mode": "cmyk"})
