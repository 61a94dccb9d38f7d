"""A user's own sounds."""

import hashlib
import re
from collections.abc import Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from bench.dataset import Dataset
from bench.datasets import _audio, _files
from bench.datasets._files import Damaged, Item, Remark
from bench.options import Count, Positive

MODALITY = "audio"
EXTRA = "audio"

_ALSO = {  # endings of libsndfile's formats, beside their names
    "AIFF": (".aif", ".aifc"),
    "AU": (".snd",),
    "IRCAM": (".sf",),
    "MAT4": (".mat",),
    "MAT5": (".mat",),
    "MP3": (".mp2",),
    "MPC2K": (".mpc",),
    "NIST": (".sph",),
    "OGG": (".oga", ".opus"),
    "SVX": (".iff", ".8svx"),
    "WAV": (".wave",),
}
_HEADERLESS = "RAW"  # whose rate nobody knows

_LENGTHS = re.compile(r"^ *(?:data|SSND|BODY|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_ENDLESS = 0x7FFF0000  # bytes: what writes into a pipe states some such length, since it cannot know

_SILENT = 1e-4  # peak, as a share of full scale: about three of 32,768 steps
_LOUDEST = 2.0**31  # times full scale: what whole numbers reach that somebody wrote as they are


def audio_folder(
    *, path: str, sample_rate: Count = 16000, seconds: Positive = 1.0, windows: Count = 8, held_out: Count = 1000
) -> Dataset:
    """The sounds in a folder: wav, flac, ogg, mp3 and whatever else libsndfile reads, in sub-folders as well.

    Channels become one, their mean; other rates are resampled. Of each file so many windows, spread evenly over it and
    not overlapping, are items; a file shorter than one is filled up with silence, and windows of silence are left out.
    Where what comes of that goes beyond full scale, as numbers with a point may, all windows of the file are made
    quieter by one factor, and the file is counted.

    Folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is missing, a
    tenth of the files is, chosen by their content: no file has windows in two splits. Other sub-folders are
    sub-domains. A file that cannot be read, is cut short, or is silent, is skipped and counted. Files are read one at a
    time, and their sounds kept on disk.

    Args:
        path: of the folder, or of one file; relative to the current folder, ``~`` is your home.
        sample_rate: in Hz.
        seconds: length of each sound.
        windows: taken of each file, at most.
        held_out: sounds of the validation and of the test split, at most.
    """
    samples = _audio.samples_of("audio_folder", sample_rate, seconds)

    def read(file: Path) -> Iterator[Item | Remark]:
        found, remarks = _windows(file, sample_rate, samples, windows)
        with file.open("rb") as opened:
            key = hashlib.file_digest(opened, "blake2b").hexdigest()
        yield from remarks
        for wave in found:
            yield {"": wave, "file": key}

    listed = _files.listing("audio_folder", path, endings())
    found, seen = _files.read_each(listed, read), len(listed.files)
    return _files.dataset(
        "audio_folder",
        "audio",
        path,
        found,
        held_out=held_out,
        by="file",
        unit="files",
        seen=seen,
        sample_rate=sample_rate,
    )


def content(*, path: str, sample_rate: int = 16000, seconds: float = 1.0, **_: object) -> str:
    """Hash of the sounds' files."""
    _audio.samples_of("audio_folder", sample_rate, seconds)
    return _files.content(_files.listing("audio_folder", path, endings()))


def endings() -> frozenset[str]:
    """Endings of files that this libsndfile can open, such as ``.mp3``."""
    formats = set(soundfile.available_formats()) - {_HEADERLESS}
    return frozenset(ending for name in formats for ending in (f".{name.lower()}", *_ALSO.get(name, ())))


def _windows(file: Path, sample_rate: int, samples: int, most: int) -> tuple[list[np.ndarray], list[Remark]]:
    """Windows of a file: int16, each of shape (samples,). Raises :class:`bench.datasets._files.Damaged`."""
    if file.suffix.lower() == f".{_HEADERLESS.lower()}":
        raise Damaged("it has no header that says its rate; save it as .wav")
    try:
        with soundfile.SoundFile(file) as sound:
            _check_whole(sound)
            length = -(-samples * sound.samplerate // sample_rate)  # of a window, in the file's own rate
            count = max(1, min(most, sound.frames // length))
            starts = [round(start) for start in np.linspace(0, max(0, sound.frames - length), count)]
            found = []
            for start in starts:
                sound.seek(start)
                read = sound.read(length, dtype="float32", always_2d=True).mean(1)
                if len(read) < min(length, sound.frames - start):
                    raise Damaged("cut short: it holds less sound than its header says")
                found.append(_fitted(read, sound.samplerate, sample_rate, samples))
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise Damaged(_files.one_line(error)) from error
    if not np.isfinite(found).all():
        raise Damaged("it holds values that are no numbers")
    remarks = []
    if (peak := float(np.abs(found).max())) > 1:
        if peak > _LOUDEST:
            raise Damaged(f"its samples reach {peak:.2g} times full scale")
        found = [wave / peak for wave in found]
        remarks.append(Remark("louder than full scale, made quieter", "file"))
    heard = [_audio.as_int16(wave) for wave in found if np.abs(wave).max() > _SILENT]
    if not heard:
        raise Damaged("it is silent")
    if silent := len(found) - len(heard):
        remarks += [Remark("of silence, left out", "window")] * silent
    return heard, remarks


def _check_whole(sound: soundfile.SoundFile) -> None:
    """:class:`Damaged` where a file is shorter than its header says, of which libsndfile only leaves a note."""
    for promised, held in (map(int, lengths) for lengths in _LENGTHS.findall(sound.extra_info)):
        if held < promised < _ENDLESS:
            raise Damaged(f"cut short: its header says {promised} bytes of sound, and it holds {held}")


def _fitted(wave: np.ndarray, rate: int, sample_rate: int, samples: int) -> np.ndarray:
    """At another rate and cut or filled up to a length."""
    if rate != sample_rate and len(wave):
        common = gcd(rate, sample_rate)
        wave = resample_poly(wave, sample_rate // common, rate // common)
    fitted = np.zeros(samples, np.float32)
    fitted[: len(wave)] = wave[:samples]
    return fitted
