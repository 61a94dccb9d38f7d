"""Sounds as waves, spectra and mel spectrograms and back, noise, DDIM, and models on disk."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, IPNDMScheduler, UNet2DConditionModel
from torch import Tensor

from bench.errors import CheckpointError, NotApplicable
from bench.families._denoising import Continuous, Discrete, _crash
from bench.families._sound import Mel, Stft, Waveform
from bench.families.audio import Audio
from tests.models import batch_of, fitted, outputs, prepare, same, saved, transfer_of, weights
from tests.small import audio as small

KINDS: dict[str, dict[str, Any]] = {"spectrogram": small.SPECTRUM, "waveform": small.WAVEFORM, "mel": small.MEL}
EVERY = pytest.mark.parametrize("kind", KINDS)


def load(folder: Path, **options: Any) -> Audio:
    return Audio.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **small.OPTIONS | options)


def draw(model: Audio, seed: int = 0) -> Tensor:
    with torch.inference_mode():
        return model.sample(batch_of(model, small.data()), torch.Generator().manual_seed(seed))["sounds"]


def chance(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5


# Forms of sound -------------------------------------------------------------------------------------------------------


@EVERY
def test_decoding_undoes_encoding(kind: str) -> None:
    model, items = small.model(KINDS[kind]), small.data().test
    rows = model.encode(items)
    assert np.array_equal(model.decode(rows), items)
    batch = model.collate(rows, torch.arange(len(items)))
    assert batch["sounds"].abs().max() <= 1
    assert np.array_equal(model.decode(batch), items), "to -1…1 and back"


@pytest.mark.parametrize("samples", [60, 120])
def test_sounds_of_another_length_are_cut_or_end_in_silence(samples: int) -> None:
    items = np.asarray(small.data(samples=samples).test)
    sounds = small.model().decode(small.model().encode(items))
    kept = min(samples, small.SAMPLES)
    assert sounds.shape == (len(items), small.SAMPLES)
    assert np.array_equal(sounds[:, :kept], items[:, :kept])
    assert not sounds[:, kept:].any()


def test_a_domain_of_another_rate_is_refused() -> None:
    from dataclasses import replace

    assert small.model().misfit(small.data()) == ""
    said = small.model().misfit(replace(small.data(), sample_rate=8000))
    assert said == "its sounds have 8000 Hz, the model's 4000; give it the option sample_rate: 4000"


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize(("n_fft", "hop"), [(126, 63), (64, 32), (64, 16), (510, 128)])
@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_a_spectrum_loses_nothing(n_fft: int, hop: int, stride: int, exponent: float) -> None:
    sound = Stft(8000, 1999, n_fft, hop, exponent, 0.7, stride)
    waves = chance(3, 1999)
    data = sound.analyse(waves)
    assert data.shape[1:] == sound.shape(1999)
    assert data.shape[-1] % stride == 0
    assert torch.allclose(sound.synthesise(data, 1999, torch.Generator()), waves, atol=1e-5)


def test_a_spectrum_is_compressed_by_its_power_law() -> None:
    """Half the loudness is a factor of the root of a half, and the angles stay."""
    sound, waves = Stft(exponent=0.5), chance(2, 2000)
    loud, soft = sound.analyse(waves), sound.analyse(waves / 2)
    assert torch.allclose(soft, loud * 0.5**0.5, atol=1e-6)


def test_a_spectrum_is_scaled_to_its_source() -> None:
    waves = chance(20, 2000) / 50
    fitted_to = Stft(exponent=0.5).fitted(waves)
    assert float(fitted_to.analyse(waves).square().mean().sqrt()) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "said"), [({"hop_length": 64, "n_fft": 126}, "lost"), ({"exponent": 0.0}, "above 0")]
)
def test_a_spectrum_that_would_lose_sound_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        Audio.from_architecture(small.SPECTRUM | {"stft": options}, small.source())


def test_a_tone_comes_back_from_its_mel_spectrogram() -> None:
    """Its pitch and its course in time, not its phase: that is what magnitudes say."""
    mel, time = Mel(x_res=32, y_res=48, sample_rate=8000, n_fft=256, hop_length=64), torch.arange(2047) / 8000
    pitches = torch.tensor([[300.0], [700.0], [1500.0]])
    waves = 0.3 * torch.sin(2 * math.pi * pitches * time) * (time > 0.1)
    data = mel.analyse(waves)
    assert data.shape == (3, 1, 48, 32)
    assert (data.amax((1, 2, 3)) == 1).all(), "the loudest place is 0 dB"
    assert data.min() == -1
    back = mel.synthesise(data, 2047, torch.Generator().manual_seed(0))
    found = torch.fft.rfft(back, 16384).abs().argmax(1) * 8000 / 16384
    assert torch.allclose(found, pitches[:, 0], rtol=0.06)
    assert back.abs().amax(1) == pytest.approx(0.9)
    assert back[:, :600].square().mean() < 0.01 * back[:, 900:].square().mean()


def test_levels_are_those_of_librosa() -> None:
    """Slaney's bands at 22,050 Hz: the first reach from 0 to 42.5 Hz and are spaced evenly below 1 kHz."""
    filters = Mel(y_res=64).filters
    assert filters.shape == (64, 1025)
    peaks = filters.argmax(1)[:10].float() * 22050 / 2048
    spacing = peaks.diff()
    assert float((spacing - spacing.mean()).abs().max()) < 11, "within a frequency's width"
    areas = filters.sum(1) * 22050 / 2048
    assert torch.allclose(areas[20:], torch.ones(44), atol=0.1), "each band has the same area"


def test_a_network_of_two_channels_hears_and_plays_one_sound() -> None:
    sound, waves = Waveform(8000, 90, channels=2, stride=8), chance(3, 90)
    data = sound.analyse(waves)
    assert data.shape == (3, 2, 96)
    assert torch.equal(data[:, 0], data[:, 1])
    assert torch.equal(sound.synthesise(data, 90, torch.Generator()), waves)


# Noise and loss -------------------------------------------------------------------------------------------------------


@EVERY
def test_the_loss_is_zero_for_the_right_prediction(kind: str) -> None:
    model = small.model(KINDS[kind])
    batch = batch_of(model, small.data())
    wanted = model.noise.wanted(batch["clean"], batch["noise"], batch["timesteps"])
    assert float(model.loss(batch, wanted)) == pytest.approx(0, abs=1e-10)
    assert float(model.loss(batch, wanted + 0.5)) == pytest.approx(0.25, rel=1e-4)
    hidden = model.draw(model.corrupted(batch, 0.5, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(0))
    assert float(model.loss(hidden, wanted + 0.5 * hidden["hidden"])) == pytest.approx(0.25, rel=1e-4)


@EVERY
def test_what_is_hidden_has_noise_and_what_is_not_is_clean(kind: str) -> None:
    model, seen = small.model(KINDS[kind]), list[Tensor]()
    batch = batch_of(model, small.data()) | {}
    batch = model.corrupted(batch, 0.5, torch.Generator().manual_seed(1))
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(batch)
    hidden = batch["hidden"].expand_as(seen[0])
    assert torch.equal(seen[0][~hidden], batch["clean"][~hidden])
    assert (seen[0] != batch["clean"])[hidden].float().mean() > 0.95
    assert float(hidden.float().mean()) == pytest.approx(0.5, abs=0.1)


def test_times_of_dance_diffusion_are_its_schedulers() -> None:
    """Even times through the crash schedule are those that diffusers' own scheduler steps through."""
    scheduler = IPNDMScheduler()
    scheduler.set_timesteps(10)
    assert torch.allclose(_crash(torch.linspace(1, 0, 11))[:-1], scheduler.timesteps, atol=1e-4)
    drawn = Continuous(scheduler).timesteps(1000, torch.Generator().manual_seed(0))
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert drawn.min() < 0.01, "and reach either end"
    assert drawn.max() > 0.99


def test_velocity_is_as_dance_diffusion_defines_it() -> None:
    noise, clean, random = Continuous(IPNDMScheduler()), chance(3, 1, 8), chance(3, 1, 8).flip(0)
    times = torch.tensor([0.0, 0.5, 1.0])
    noised, wanted = noise.noised(clean, random, times), noise.wanted(clean, random, times)
    assert torch.allclose(noised[0], clean[0])
    assert torch.allclose(wanted[0], random[0])
    assert torch.allclose(noised[1], (clean[1] + random[1]) / 2**0.5)
    assert torch.allclose(noised[2], random[2], atol=1e-6)
    assert torch.allclose(wanted[2], -clean[2], atol=1e-6)


# Sampling -------------------------------------------------------------------------------------------------------------


@EVERY
def test_samples_repeat_and_leave_other_random_numbers_alone(kind: str) -> None:
    model = small.model(KINDS[kind])
    state = torch.random.get_rng_state()
    one = draw(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, draw(model))
    assert not torch.equal(one, draw(model, seed=1))
    assert one.shape == (4, small.SAMPLES)
    assert one.abs().max() <= 1
    noisy = small.model(KINDS[kind], eta=1.0)
    assert not torch.allclose(one, draw(noisy), atol=1e-3)
    assert torch.equal(draw(noisy), draw(noisy))


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize(
    "noise", [Continuous(IPNDMScheduler()), Discrete(DDPMScheduler(prediction_type="v_prediction"))]
)
def test_a_network_that_knows_the_sound_ends_at_it(noise: Any, eta: float) -> None:
    known, start = chance(1, 1, 32), torch.randn(4, 1, 32, generator=torch.Generator().manual_seed(0))

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        if isinstance(noise, Continuous):
            kept, added = torch.cos(timestep * math.pi / 2), torch.sin(timestep * math.pi / 2)
        else:
            share = noise.scheduler.alphas_cumprod[timestep]
            kept, added = share.sqrt(), (1 - share).sqrt()
        return kept * (noisy - kept * known) / added - added * known

    found = noise.denoise(predict, start, 10, eta, torch.Generator().manual_seed(1))
    assert torch.allclose(found, known.expand_as(found), atol=1e-3)


def test_sampling_of_known_statistics_keeps_them() -> None:
    """Of numbers from a normal law the best prediction is known, and samples follow the law, with new noise or not."""
    noise, spread = Continuous(IPNDMScheduler()), 0.3

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        kept, added = torch.cos(timestep * math.pi / 2), torch.sin(timestep * math.pi / 2)
        clean = kept * spread**2 * noisy / (kept**2 * spread**2 + added**2)
        return kept * (noisy - kept * clean) / added.clamp(min=1e-6) - added * clean

    start = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    for eta in (0.0, 1.0):
        found = noise.denoise(predict, start, 200, eta, torch.Generator().manual_seed(1))
        assert float(found.std()) == pytest.approx(spread, rel=0.06)


# Parts ----------------------------------------------------------------------------------------------------------------


@EVERY
def test_blocks_are_all_the_weights_from_input_to_output(kind: str) -> None:
    model = small.model(KINDS[kind])
    held = [set(block.parameters()) for block in model.blocks()]
    assert set.union(*held) == set(model.network.parameters())
    assert sum(map(len, held)) == len(list(model.network.parameters())), "none is in two blocks"
    end = {parameter for part in model.generating_end() for parameter in part.parameters()}
    assert end == set.union(*held[-len(model.generating_end()) :])
    assert set(model.network.up_blocks.parameters()) <= end


@EVERY
def test_a_fresh_model_has_nothing_of_the_old(kind: str) -> None:
    model = small.model(KINDS[kind])
    old, new = weights(model), weights(model.fresh())
    kept = {name for name in old if not name.endswith("kernel")}  # of the filters that halve and double: no weights
    assert old.keys() == new.keys()
    assert not any((old[name] == new[name]).any() for name in kept)


def test_students_are_smaller_and_teachers_stay() -> None:
    wide = small.WAVEFORM | {"block_out_channels": (16, 64)}
    for architecture in (small.SPECTRUM, wide, small.MEL):
        model = small.model(architecture)
        before, student = weights(model), model.student()
        count, fewer = (sum(p.numel() for p in each.parameters()) for each in (model, student))
        assert fewer < 0.8 * count
        assert torch.isfinite(outputs(student, small.data())).all()
        assert same(before, weights(model))
    with pytest.raises(NotApplicable, match="attention needs 32"):
        small.model(small.WAVEFORM).student()


@EVERY
def test_coarser_sounds_are_their_beginning(kind: str) -> None:
    model = small.model(KINDS[kind])
    batch = model.collate(model.encode(small.data().train), torch.arange(4))
    shorter = model.coarser(batch, 0.6)
    length = shorter["sounds"].shape[1]
    assert length < small.SAMPLES
    assert torch.equal(shorter["sounds"], batch["sounds"][:, :length])
    drawn = model.draw(shorter, torch.Generator().manual_seed(0))
    assert torch.isfinite(model.loss(drawn, model(drawn)))


@pytest.mark.parametrize("kind", ["waveform", "mel"])
@pytest.mark.parametrize(
    "approach",
    ["lora", "gradual_unfreezing", "from_scratch", "progressive_training", "self_supervised"],
)
def test_approaches_reach_the_other_kinds_too(kind: str, approach: str) -> None:
    transfer = transfer_of(small.model(KINDS[kind]), small.data(), steps=4, source=small.source(), pool=small.pool())
    prepare(transfer, approach)
    before = weights(transfer.model)
    fitted(transfer)
    assert transfer.taken == 4
    assert not same(before, weights(transfer.model))
    assert torch.isfinite(draw(transfer.model)).all()  # type: ignore[arg-type]


# Checkpoints ----------------------------------------------------------------------------------------------------------


@EVERY
def test_saving_and_loading_change_nothing(kind: str, tmp_path: Path) -> None:
    model = small.model(KINDS[kind])
    again = load(saved(model, tmp_path)).eval()
    assert same(weights(model), weights(again))
    assert torch.equal(outputs(model, small.data()), outputs(again, small.data()))
    assert torch.equal(draw(model), draw(again))
    assert (again.sound.sample_rate, again.sound.samples) == (small.RATE, small.SAMPLES)


def test_a_waveforms_folder_is_dance_diffusions(tmp_path: Path) -> None:
    """The layout of harmonai's checkpoints: two components, and the rate in the network's own configuration."""
    saved(small.model(small.WAVEFORM), tmp_path)
    assert json.loads((tmp_path / "model_index.json").read_text()) == {
        "_class_name": "DanceDiffusionPipeline",
        "unet": ["diffusers", "UNet1DModel"],
        "scheduler": ["diffusers", "IPNDMScheduler"],
    }
    assert json.loads((tmp_path / "unet/config.json").read_text())["sample_rate"] == small.RATE
    assert {path.name for path in tmp_path.iterdir()} == {"model_index.json", "unet", "scheduler"}


def test_a_mel_folder_of_diffusers_loads(tmp_path: Path) -> None:
    """Its configuration has neither our length nor our stride: a sound is as long as its frames."""
    saved(small.model(small.MEL), tmp_path)
    config = {"_class_name": "Mel", "_diffusers_version": "0.17.0", "hop_length": 8, "n_fft": 64, "n_iter": 2}
    config |= {"sample_rate": 4000, "top_db": 80, "x_res": 12, "y_res": 8}
    (tmp_path / "mel/mel_config.json").write_text(json.dumps(config))
    DDIMScheduler().save_pretrained(tmp_path / "scheduler")
    model = load(tmp_path)
    assert (model.sound.samples, model.sound.sample_rate) == (95, 4000)
    assert draw(model).shape == (4, 95)


def damage(folder: Path, how: str) -> str:
    """Spoil a checkpoint; what is then said of it."""
    unet, config = folder / "unet", folder / "unet" / "config.json"
    if how == "no weights":
        (unet / "diffusion_pytorch_model.safetensors").unlink()
        return "no U-Net of sound"
    if how == "cut weights":
        file = unet / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:200])
        return "no U-Net of sound"
    if how == "another network":
        made = UNet2DConditionModel(
            block_out_channels=(4, 4),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=2,
            cross_attention_dim=4,
            attention_head_dim=2,
        )
        made.save_pretrained(unet)
        return "its unet is UNet2DConditionModel; name one with a UNet1DModel or a UNet2DModel"
    if how == "another scheduler":
        (folder / "scheduler/scheduler_config.json").unlink()
        EulerDiscreteScheduler().save_pretrained(folder / "scheduler")
        known = json.loads((folder / "scheduler/scheduler_config.json").read_text())
        (folder / "scheduler/scheduler_config.json").write_text(json.dumps(known | {"_class_name": "Unheard"}))
        return "its Unheard adds noise neither as DDPM does nor as Dance Diffusion"
    if how == "no sound":
        shutil.rmtree(folder / "stft")
        return "neither an stft nor a mel folder"
    if how == "class labels":
        known = json.loads(config.read_text())
        config.write_text(json.dumps(known | {"class_embed_type": "identity"}))
        return "needs labels"
    shutil.rmtree(folder)
    return "no U-Net of sound"


@pytest.mark.parametrize(
    "how",
    ["no weights", "cut weights", "another network", "another scheduler", "no sound", "class labels", "no folder"],
)
def test_a_checkpoint_that_will_not_do_is_one_line(how: str, tmp_path: Path) -> None:
    folder = saved(small.model(), tmp_path / "made")
    said = damage(folder, how)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(folder)
    assert str(caught.value).startswith(f"checkpoint {folder}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ({"kind": "cylinder"}, "unknown kind 'cylinder'; use waveform, spectrogram or mel"),
        (small.WAVEFORM | {"layers": 3}, "layers"),
        (small.WAVEFORM | {"block_out_channels": (8, 16)}, "does not run on data of shape"),
        (small.SPECTRUM | {"stft": {"window": 3}}, "window"),
        (small.SPECTRUM | {"scheduler": {"betas": 1}}, "betas"),
        (small.MEL | {"block_out_channels": (5, 7)}, "diffusers cannot build it"),
    ],
)
def test_an_architecture_that_will_not_do_is_one_line(architecture: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        Audio.from_architecture(architecture, small.source())
    assert "\n" not in str(caught.value)


def test_more_steps_than_the_scheduler_has_are_refused() -> None:
    with pytest.raises(CheckpointError, match="20 inference_steps, its scheduler has 10"):
        Audio.from_architecture(small.SPECTRUM | {"scheduler": {"num_train_timesteps": 10}}, small.source())
