"""The audio domains: sounds that follow their formula, splits without near-duplicates, a user's own folder."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from bench import dataset, plugins
from bench.dataset import SPLITS, Dataset
from bench.datasets import _audio, audio_folder, plucks, rain_and_wind, tones, vowels
from bench.errors import BenchError, DataError, PluginError

MODULES: dict[str, Any] = {"plucks": plucks, "tones": tones, "vowels": vowels, "rain_and_wind": rain_and_wind}
NAMES = tuple(MODULES)
RATE = 8000


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer items, where it takes long to make them all."""
    monkeypatch.setattr(_audio, "ITEMS", {"train": 40, "validation": 10, "test": 10})


@cache
def labelled(name: str, rate: int = RATE) -> _audio.Labelled:
    """The test split of a domain is enough to hear what it follows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_audio, "ITEMS", {"train": 10, "validation": 10, "test": 120})
        sounds: _audio.Labelled = MODULES[name].labelled(sample_rate=rate)
        return sounds


def of(name: str, **options: Any) -> Dataset:
    data: Dataset = plugins.find("datasets", name).load()(**options)
    return data


def pitch(wave: np.ndarray, low: float, high: float, rate: int = RATE) -> float:
    """Frequency whose period a wave repeats itself best after, between two, in Hz."""
    wave = wave / np.abs(wave).max()
    spectrum = np.abs(np.fft.rfft(wave, 4 * len(wave))) ** 2
    repeats = np.fft.irfft(spectrum)
    lags = np.arange(int(rate / high), int(rate / low) + 2)
    best = int(lags[repeats[lags].argmax()])
    before, at, after = repeats[best - 1 : best + 2]
    return float(rate / (best + 0.5 * (before - after) / (before - 2 * at + after)))


# Every domain ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_sounds_are_heard_and_not_clipped_and_no_two_are_nearly_the_same(
    name: str, domains: dict[str, Dataset]
) -> None:
    data = domains[name]
    assert (data.name, data.modality, data.sample_rate, data.skipped) == (name, "audio", RATE, 0)
    for split in SPLITS:
        sounds = np.asarray(getattr(data, split))
        assert sounds.dtype == np.int16
        assert sounds.shape[1] == 2000
        peaks = np.abs(sounds.astype(int)).max(1) / 32768
        assert peaks.min() > 0.32
        assert peaks.max() < 0.91
    assert len(data.train) >= 1024
    assert min(len(data.validation), len(data.test) / 2) > 125
    assert _audio.distinct(np.concatenate([getattr(data, split) for split in SPLITS])).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("few")
def test_sub_domains_are_kinds(name: str) -> None:
    sounds, data = MODULES[name].labelled(), of(name)
    assert data.groups is not None
    for split in SPLITS:
        assert np.array_equal(getattr(data, split), sounds[split][0])
        assert sounds[split][1].shape == (len(sounds[split][0]),)
    assert len(set(zip(sounds["train"][1], data.groups.tolist(), strict=True))) == len(set(data.groups.tolist())) >= 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("few")
def test_they_repeat_at_any_rate_and_length(name: str) -> None:
    for options in ({"sample_rate": 44100, "seconds": 0.1}, {"sample_rate": 4000, "seconds": 0.5}):
        one, other = of(name, **options), of(name, **options)
        assert one.fingerprint == other.fingerprint
        assert np.asarray(one.train).shape[1] == options["sample_rate"] * options["seconds"]
        assert one.sample_rate == options["sample_rate"]


@pytest.mark.usefixtures("few")
def test_another_rate_is_the_same_sound() -> None:
    """What a tone has below 2 kHz is there at either rate."""
    slow, fast = (tones.labelled(sample_rate=rate)["test"][0] for rate in (8000, 16000))
    for one, other in zip(slow, fast, strict=True):
        spectra = [np.abs(np.fft.rfft(wave))[:500] for wave in (one, other)]
        assert np.corrcoef(np.stack(spectra))[0, 1] > 0.9


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [("sample_rate", 100, "4000 to 192000 Hz"), ("seconds", 0.01, "0.05 to 60.0 seconds"), ("seconds", 61.0, "60.0")],
)
@pytest.mark.parametrize("name", NAMES)
def test_an_option_out_of_range_is_named(name: str, option: str, value: float, range_: str) -> None:
    with pytest.raises(PluginError, match=f"dataset {name}: option '{option}': {value} will not do; .* {range_}"):
        of(name, **{option: value})


def test_distinct_keeps_the_first_of_sounds_that_are_nearly_the_same() -> None:
    random = np.random.default_rng(0)
    sounds = (random.standard_normal((20, 800)) * random.uniform(1000, 8000, (20, 1))).astype(np.int16)
    louder = (sounds * 1.05).astype(np.int16)  # by 0.4 dB
    assert _audio.distinct(np.concatenate([sounds, louder])).tolist() == [True] * 20 + [False] * 20
    assert _audio.distinct(np.concatenate([sounds, (sounds * 1.5).astype(np.int16)])).all(), "by 3.5 dB"


# What they follow -----------------------------------------------------------------------------------------------------


def test_tones_are_tempered_notes_of_their_instruments() -> None:
    sounds, kinds = labelled("tones")["test"]
    for kind, odd in (("clarinet", True), ("strings", False)):
        chosen = sounds[kinds == kind][:20].astype(float)
        ratios = []
        for wave in chosen:
            note = pitch(wave, 100, 930)
            semitones = 69 + 12 * np.log2(note / 440)
            assert abs(semitones - round(semitones)) < 0.35, "a fifth of a semitone off, and the vibrato"
            spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * len(wave)))
            level = [
                spectrum[max(0, at - 160) : at + 160].max()
                for at in (round(8 * len(wave) * note * k / RATE) for k in (1, 2))
            ]
            ratios.append(level[1] / level[0])
        assert (np.median(ratios) < 0.15) == odd, "a clarinet has next to no even harmonics"


def test_strings_are_in_tune_and_die_away() -> None:
    """The delay line with its all-pass gives the note asked for, at 44.1 kHz within a few cents."""
    sounds, kinds = labelled("plucks", 44100)["test"]
    off = []
    for wave in sounds[kinds == "steel"][:20].astype(float):
        semitones = 69 + 12 * np.log2(pitch(wave, 100, 460, 44100) / 440)
        off.append(abs(semitones - round(semitones)))
    assert max(off) < 0.16, "a tenth of a semitone off on purpose"
    first, last = (
        np.abs(sounds[kinds == "muted"].astype(float))[:, part].mean() for part in (slice(0, 2000), slice(-4000, -2000))
    )
    assert last < 0.2 * first


@pytest.mark.parametrize("kind", ["i", "ɑ", "u"])
def test_vowels_have_their_published_formants(kind: str) -> None:
    """Without a harmonic comb: noise through the same resonators peaks where Peterson and Barney say."""
    _, first, second, third = vowels.FORMANTS[kind][0]
    wave = np.random.default_rng(0).standard_normal(400_000)
    for frequency, bandwidth in zip((first, second, third), (60.0, 90.0, 150.0), strict=True):
        wave = vowels._resonate(wave, frequency, bandwidth, 16000)
    frequencies, power = welch(wave, 16000, nperseg=2048)
    for formant in (first, second):
        near = np.abs(frequencies - formant) < 150
        assert frequencies[near][power[near].argmax()] == pytest.approx(formant, abs=35)


def test_vowels_of_men_are_lower_than_those_of_children() -> None:
    assert all(man[0] < woman[0] < child[0] for man, woman, child in vowels.FORMANTS.values())
    sounds, kinds = labelled("vowels")["test"]
    found = [pitch(wave, 90, 400) for wave in sounds[kinds == "ɑ"].astype(float)]
    assert min(found) < 150
    assert max(found) > 230


def test_rain_and_wind_lies_where_it_should_in_the_spectrum() -> None:
    sounds, kinds = labelled("rain_and_wind")["test"]
    middles = {}
    for kind in rain_and_wind.KINDS:
        frequencies, power = welch(sounds[kinds == kind].astype(float), RATE, nperseg=256)
        mean = power.mean(0)
        middles[kind] = float((frequencies * mean).sum() / mean.sum())
    assert middles["thunder"] < 400
    assert middles["wind"] < 900
    assert middles["rain"] > 1500
    assert middles["thunder"] < middles["wind"] < middles["hail"] < middles["rain"]


# A user's own folder --------------------------------------------------------------------------------------------------


def record(file: Path, seconds: float = 1.0, rate: int = 8000, channels: int = 1, seed: int = 0) -> Path:
    """A file of a tone that differs with the seed, and fades slowly."""
    file.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(rate * seconds)) / rate
    wave = (0.5 - time / 10) * np.sin(2 * np.pi * (200 + 17 * seed) * time)
    soundfile.write(file, np.stack([wave] * channels, 1), rate)
    return file


def strongest(wave: np.ndarray) -> float:
    """The loudest frequency of a quarter of a second, in Hz."""
    return 4.0 * int(np.abs(np.fft.rfft(wave)).argmax())


def folder(path: Path, **options: Any) -> Dataset:
    plugin = plugins.find("datasets", "audio_folder")
    options = {"path": str(path), "sample_rate": 8000, "seconds": 0.25} | options
    data: Dataset = plugin.load()(**plugin.check(options))
    return data


def test_files_of_any_kind_rate_and_number_of_channels_become_alike(tmp_path: Path) -> None:
    for index, (suffix, rate, channels) in enumerate(
        [("wav", 8000, 1), ("flac", 44100, 2), ("wav", 22050, 3), ("ogg", 16000, 1), ("wav", 4000, 2)]
    ):
        record(tmp_path / f"{index}.{suffix}", rate=rate, channels=channels, seed=1)
    data = folder(tmp_path, windows=1)
    sounds = np.concatenate([getattr(data, split) for split in SPLITS])
    assert (data.modality, data.sample_rate, data.skipped) == ("audio", 8000, 0)
    assert sounds.shape == (5, 2000)
    assert [pitch(wave.astype(float), 100, 400) for wave in sounds] == pytest.approx([217] * 5, rel=0.02)


def test_the_mean_of_the_channels_is_heard(tmp_path: Path) -> None:
    for index in range(3):
        wave = np.full(4000, 0.1 + index / 10)
        soundfile.write(tmp_path / f"{index}.wav", np.stack([wave, -wave / 2], 1), 8000, subtype="FLOAT")
    levels = sorted(int(sound[7]) for split in SPLITS for sound in getattr(folder(tmp_path, windows=1), split))
    assert levels == [round(32767 * level / 4) for level in (0.1, 0.2, 0.3)]


def test_windows_of_a_file_stay_together_and_do_not_overlap(tmp_path: Path) -> None:
    for seed in range(12):
        record(tmp_path / f"{seed}.wav", seconds=2.1, seed=10 * seed)
    data = folder(tmp_path, windows=4)
    heard = {split: {round((strongest(wave) - 200) / 170) for wave in getattr(data, split)} for split in SPLITS}
    assert [len(getattr(data, split)) for split in SPLITS] == [40, 4, 4]
    assert [len(heard[split]) for split in SPLITS] == [10, 1, 1]
    assert len(heard["train"] | heard["validation"] | heard["test"]) == 12


def test_short_files_end_in_silence_and_silence_is_left_out(tmp_path: Path) -> None:
    for seed in range(3):
        record(tmp_path / f"{seed}.wav", seconds=0.1, seed=seed)
    soundfile.write(tmp_path / "nothing.wav", np.zeros(8000), 8000)
    data = folder(tmp_path)
    assert data.skipped == 1
    assert np.asarray(data.train)[0, 700:800].any()
    assert not np.asarray(data.train)[0, 800:].any()


def test_split_folders_are_kept_and_others_are_groups(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        for seed in range(count):
            name = tmp_path / split / ("low" if seed % 2 else "high") / f"{seed}.wav"
            record(name, seconds=0.3, seed=seed + len(split) * 10)
    data = folder(tmp_path)
    assert [len(getattr(data, split)) for split in SPLITS] == [6, 2, 3]
    assert data.groups is not None
    assert sorted(data.groups.tolist()) == [0, 0, 0, 1, 1, 1]


def test_damaged_files_are_skipped_and_counted(tmp_path: Path) -> None:
    for seed in range(4):
        record(tmp_path / f"{seed}.wav", seed=seed)
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "empty.flac").touch()
    (tmp_path / "cut.flac").write_bytes(record(tmp_path / "whole.flac", seed=9).read_bytes()[:60])
    soundfile.write(tmp_path / "nan.wav", np.full(4000, np.nan), 8000, subtype="FLOAT")
    assert folder(tmp_path).skipped == 4


@pytest.mark.parametrize("loudness", [1.5, 16384.0, 2.0**31])
def test_what_is_louder_than_full_scale_is_made_quieter_as_a_whole(loudness: float, tmp_path: Path) -> None:
    """The whole file by one factor: no wave becomes square, and a quiet part stays as much quieter."""
    time = np.arange(8000) / 8000
    wave = np.where(time < 0.5, 1.0, 0.25) * np.sin(2 * np.pi * 200 * time)
    for split in ("train", "validation", "test"):
        (tmp_path / split).mkdir()
    soundfile.write(tmp_path / "train" / "a.wav", loudness * wave, 8000, subtype="FLOAT")
    record(tmp_path / "validation" / "b.wav")
    record(tmp_path / "test" / "b.wav", seed=3)
    data = folder(tmp_path, windows=4)
    sounds = np.asarray(data.train).astype(float) / 32767
    assert sorted(np.abs(sounds).max(1)) == pytest.approx([0.25, 1], abs=1e-3)  # two windows of each are equal
    assert np.sqrt((sounds[np.abs(sounds).max(1) > 0.5] ** 2).mean()) == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert data.left_out("mine")[0] == "mine: 1 file louder than full scale, made quieter"


def test_what_is_beyond_any_scale_is_damaged(tmp_path: Path) -> None:
    for seed in range(4):
        record(tmp_path / f"{seed}.wav", seed=seed)
    soundfile.write(tmp_path / "wild.wav", np.full(8000, 1e30), 8000, subtype="FLOAT")
    assert folder(tmp_path).left_out("mine") == [
        "1 of 5 files of mine, the first: wild.wav: its samples reach 1e+30 times full scale"
    ]


def test_windows_of_silence_and_other_files_are_counted(tmp_path: Path) -> None:
    for seed in range(4):
        record(tmp_path / f"{seed}.wav", seed=seed)
    half = np.sin(np.arange(8000) / 5) * (np.arange(8000) < 4000)
    soundfile.write(tmp_path / "half.wav", half, 8000)
    (tmp_path / "notes.txt").touch()
    assert folder(tmp_path, windows=4).left_out("mine") == [
        "mine: 2 windows of silence, left out",
        "mine: 1 other file left out: 1 .txt",
    ]


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("mp3", "MP3"), ("opus", "OGG"), ("oga", "OGG"), ("aifc", "AIFF"), ("caf", "CAF"), ("w64", "W64"), ("snd", "AU")],
)
def test_whatever_libsndfile_reads_is_a_sound(ending: str, kind: str, tmp_path: Path) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 300 * np.arange(8000) / 8000)
    for number in range(3):
        subtype = "OPUS" if ending == "opus" else None
        soundfile.write(tmp_path / f"{number}.{ending}", wave * (1 - number / 10), 8000, subtype, format=kind)
    data = folder(tmp_path, windows=1)
    assert data.skipped == 0
    assert pitch(np.asarray(data.train)[0].astype(float), 100, 400) == pytest.approx(300, rel=0.02)


def test_every_format_of_libsndfile_has_an_ending_but_the_one_without_a_header() -> None:
    assert {f".{kind.lower()}" for kind in soundfile.available_formats()} - audio_folder.endings() == {".raw"}


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "flac", "mp3"])
def test_a_file_that_ends_before_its_sound_does_is_damaged(ending: str, tmp_path: Path) -> None:
    for seed in range(4):
        file = record(tmp_path / f"{seed}.{ending}", seed=seed, rate=8000)
    assert folder(tmp_path).skipped == 0
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    data = folder(tmp_path)
    assert (data.skipped, data.seen) == (1, 4)
    assert data.first.startswith(f"3.{ending}: ")
    if ending == "wav":
        assert data.first == "3.wav: cut short: its header says 16000 bytes of sound, and it holds 7978"


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_wav_from_a_pipe_says_no_length_and_is_whole(length: int, tmp_path: Path) -> None:
    for seed in range(3):
        written = record(tmp_path / f"{seed}.wav", seed=seed).read_bytes()
        (tmp_path / f"{seed}.wav").write_bytes(written[:40] + length.to_bytes(4, "little") + written[44:])
    assert folder(tmp_path).skipped == 0


def test_samples_without_a_header_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.RAW").write_bytes(bytes(1000))
    with pytest.raises(DataError, match=r"a.RAW: it has no header that says its rate; save it as \.wav"):
        folder(tmp_path / "a.RAW")


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"x"}, {"a.wav": b"RIFF", "b.wav": b""}])
def test_a_folder_without_sounds_is_one_line(content: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=f"dataset audio_folder: .*{tmp_path}.*; name ") as caught:
        folder(tmp_path)
    assert "\n" not in str(caught.value)


def test_options_out_of_range_are_told_before_anything_runs(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    with pytest.raises(PluginError, match="option 'sample_rate': 10 will not do"):
        audio_folder.content(path=str(tmp_path), sample_rate=10)


def test_a_path_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is not there"):
        folder(tmp_path / "nowhere")


def test_another_sound_in_the_folder_is_another_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(4):
        record(tmp_path / "sounds" / f"{seed}.wav", seed=seed)
    monkeypatch.chdir(tmp_path)
    options = {"path": "sounds", "sample_rate": 8000, "seconds": 0.25}
    one, again = (dataset.load("audio_folder", options).fingerprint for _ in range(2))
    record(tmp_path / "sounds" / "more.wav", seed=9)
    assert one == again != dataset.load("audio_folder", options).fingerprint
