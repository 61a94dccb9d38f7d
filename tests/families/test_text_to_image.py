"""Captions and pictures as rows, latents of variance one, guidance, an autoencoder that trains in recipes alone, and
Stable Diffusion's folders."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.dataset import Columns
from bench.errors import CheckpointError, NotApplicable
from bench.families._stable_diffusion import clip_tokenizer
from bench.families.text_to_image import TextToImage
from tests.models import batch_of, fitted, outputs, prepare, same, saved, transfer_of, weights, whole
from tests.small.text_to_image import ARCHITECTURE, OPTIONS, data, model, source, untrained


def load(folder: Path, **options: Any) -> TextToImage:
    return TextToImage.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


def draw(made: TextToImage, seed: int = 0) -> Tensor:
    with torch.inference_mode():
        return made.sample(batch_of(made, data()), torch.Generator().manual_seed(seed))["images"]


def columns(items: Any) -> Columns:
    assert isinstance(items, Columns)
    return items


# Captions and pictures ------------------------------------------------------------------------------------------------


def test_decoding_undoes_encoding() -> None:
    made, items = model(), columns(data().test)
    rows = made.encode(items)
    for by, known in ((made, rows), (made, made.collate(rows, torch.arange(len(items)))), (copy.deepcopy(made), rows)):
        found = by.decode(known)
        assert found["caption"] == items["caption"]
        assert np.array_equal(found["images"], items["images"])
    assert rows["images"].dtype == torch.uint8


def test_captions_are_rows_of_one_length_with_the_end_always_there() -> None:
    made = model()
    start, end = made.tokenizer.bos_token_id, made.tokenizer.eos_token_id
    images = np.zeros((3, 8, 8, 1), np.uint8)
    rows = made.encode(Columns({"caption": ["", "a disc", "many words " * 20], "images": images}))["caption_ids"]
    assert rows.shape == (3, ARCHITECTURE["length"])
    assert rows[0].tolist() == [start] + [end] * 11
    assert (rows[:, 0] == start).all()
    assert (rows[:, -1] == end).all()
    assert rows[0].tolist() == made._without_caption().tolist()


def test_rows_are_those_of_clips_own_tokenizer(tmp_path: Path) -> None:
    """What the pipeline's own encoding would be."""
    made = model()
    pipeline = StableDiffusionPipeline.from_pretrained(saved(made, tmp_path))
    for caption in columns(data().test)["caption"]:
        wanted = pipeline.tokenizer(caption, padding="max_length", truncation=True, max_length=12)["input_ids"]
        images = np.zeros((1, 8, 8, 1), np.uint8)
        assert made.encode(Columns({"caption": [caption], "images": images}))["caption_ids"][0].tolist() == wanted


def test_words_before_every_caption_are_read_and_left_out_again() -> None:
    made, plain, items = model(), model(), columns(data().test)
    made.begin_captions(made.tokens("one"))
    assert made.encoding() != plain.encoding()
    rows, before = made.encode(items)["caption_ids"], plain.encode(items)["caption_ids"]
    added = len(made.tokens("one"))
    assert rows[:, 1 : 1 + added].tolist() == [made.tokens("one")] * len(items)
    assert torch.equal(rows[:, 1 + added :], before[:, 1 : 12 - added])
    assert made.decode(made.encode(items))["caption"] == items["caption"]
    assert made.student().beginning == made.fresh().beginning == made.beginning


def test_the_tokenizer_writes_any_text_and_learns_the_words_there_are() -> None:
    few = ["a bold serif seven", "a serif eight"] * 5
    tokenizer, plain = clip_tokenizer(few, 600, 16), clip_tokenizer(few, 514, 16)
    for known in (tokenizer, plain):
        ids = known("A Bold naïve ☃ seven", add_special_tokens=False)["input_ids"]
        assert known.decode(ids) == "a bold naïve ☃ seven"
    assert len(tokenizer("serif", add_special_tokens=False)["input_ids"]) == 1
    assert len(plain("serif", add_special_tokens=False)["input_ids"]) == 5
    assert len(plain) == 514
    with pytest.raises(ValueError, match="513 has no room"):
        clip_tokenizer(few, 513, 16)


def test_other_sizes_and_colours_are_brought_into_the_models_own() -> None:
    images = np.full((2, 16, 16, 3), 200, np.uint8)
    rows = model().encode(Columns({"caption": ["a", "b"], "images": images}))["images"]
    assert rows.shape == (2, 1, 8, 8)
    assert (rows == 200).all()


# Latents, noise and loss ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_the_loss_is_zero_for_the_right_prediction(kind: str) -> None:
    made = model({"scheduler": {"prediction_type": kind}})
    batch = batch_of(made, data())
    made(batch)
    kept = made.noise.alphas_cumprod[batch["timesteps"]][:, None, None, None]
    wanted = {
        "epsilon": batch["noise"],
        "sample": batch["latents"],
        "v_prediction": kept.sqrt() * batch["noise"] - (1 - kept).sqrt() * batch["latents"],
    }[kind]
    assert float(made.loss(batch, wanted)) == pytest.approx(0, abs=1e-10)
    assert float(made.loss(batch, wanted + 0.5)) == pytest.approx(0.25, rel=1e-4)


def test_latents_are_a_scaled_draw_of_what_the_autoencoder_says_and_worked_out_once() -> None:
    made, seen = model(), list[Tensor]()
    made.vae.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    batch = batch_of(made, data())
    made(batch)
    made(batch)
    assert len(seen) == 1, "a teacher that is given the batch does not encode its pictures again"
    with torch.no_grad():
        posterior = made.vae.encode(batch["images"]).latent_dist
    wanted = (posterior.mean + posterior.std * batch["noise_within"]) * made.vae.config.scaling_factor
    assert torch.allclose(batch["latents"], wanted)
    assert not batch["latents"].requires_grad


def test_captions_are_dropped_in_training_alone() -> None:
    made = model(caption_dropout=0.5)
    rows = made.collate(made.encode(data(200).train), torch.arange(200))
    empty = made._without_caption()
    shares = []
    for training in (True, False):
        drawn = made.train(training).draw(rows, torch.Generator().manual_seed(0))
        shares.append(float((drawn["caption_ids"] == empty).all(1).float().mean()))
    assert shares[0] == pytest.approx(0.5, abs=0.1)
    assert shares[1] == 0


def test_captions_matter_for_what_is_predicted() -> None:
    made = model()
    batch = batch_of(made, data())
    other = batch | {"caption_ids": batch["caption_ids"].flip(0)}
    with torch.no_grad():
        assert not torch.allclose(made(batch), made(other), atol=1e-3)


def test_the_next_step_reaches_text_encoder_and_u_net_and_leaves_the_autoencoder() -> None:
    made = model()
    before = weights(made)
    batch = batch_of(made, data())
    made.loss(batch, made(batch)).backward()
    assert all(weight.grad is not None for weight in made.network.parameters())
    assert all(weight.grad is None for weight in made.vae.parameters())
    transfer = prepare(transfer_of(made, data()), "full_finetuning")
    transfer.practise("all of it", 3)
    changed = {name.split(".")[0] for name, value in weights(made).items() if not torch.equal(value, before[name])}
    assert changed == {"network"}
    assert not any(name.startswith("vae") or name == "scale" for name in transfer.stored())


@pytest.mark.parametrize("layers", ["all", "attention"])
def test_low_rank_updates_reach_text_encoder_and_u_net(layers: str) -> None:
    made = model()
    prepare(transfer_of(made, data()), "lora", lora={"layers": layers})
    trained = {name for name, weight in made.named_parameters() if weight.requires_grad}
    assert {".".join(name.split(".")[:2]) for name in trained} == {"network.text_encoder", "network.unet"}
    assert all("lora_" in name for name in trained)
    assert any("attn2" in name for name in trained)


# The autoencoder in a recipe ------------------------------------------------------------------------------------------


def test_in_a_recipe_the_autoencoder_trains_along_and_its_scale_gives_latents_variance_one(tmp_path: Path) -> None:
    made = untrained(kl_weight=1e-3)
    before = weights(made)
    assert fitted(transfer_of(made, source(), steps=100, learning_rate=1e-2)).curve
    after = weights(made)
    assert {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])} >= {"network", "vae"}

    again = load(saved(made, tmp_path), **OPTIONS)
    assert again.vae.config.scaling_factor == pytest.approx(float(made.scale))
    assert not again.encoder_learns
    batch = whole(again, source().train)
    batch = again.draw(batch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        again(batch)
        restored = again.vae.decode(batch["latents"] / again.scale).sample
    assert float(batch["latents"].std()) == pytest.approx(1, abs=0.15)
    mean = batch["images"].mean(0)
    assert float((restored - batch["images"]).square().mean()) < 0.5 * float((batch["images"] - mean).square().mean())


def test_its_own_loss_is_the_bound_and_no_gradient_of_the_diffusion_reaches_it() -> None:
    made = untrained(kl_weight=0.02).train()
    batch = batch_of(made, source())
    found = made(batch)
    with torch.no_grad():
        posterior = made.vae.encode(batch["images"]).latent_dist
        decoded = made.vae.decode(posterior.mean + posterior.std * batch["noise_within"]).sample
    error = (decoded - batch["images"]).square().mean()
    divergence = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).sum((1, 2, 3)).mean()
    predicted = found[:, :-1].view_as(batch["noise"])
    wanted = (predicted - batch["noise"]).square().mean() + error + 0.02 * divergence / 64
    assert float(made.loss(batch, found).detach()) == pytest.approx(float(wanted.detach()), rel=1e-4)
    (predicted - batch["noise"]).square().mean().backward()
    assert not any(weight.grad is not None and weight.grad.any() for weight in made.vae.parameters())
    [player] = made.players()
    assert {id(weight) for weight in player.parameters()} == {
        id(weight) for part in (made.network, made.vae) for weight in part.parameters()
    }


# Sampling -------------------------------------------------------------------------------------------------------------


def test_samples_repeat_and_leave_other_random_numbers_alone() -> None:
    made = model()
    state = torch.random.get_rng_state()
    one = draw(made)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, draw(made))
    assert not torch.equal(one, draw(made, seed=1))
    assert one.abs().max() <= 1


def test_samples_keep_the_captions_they_were_asked_with() -> None:
    made, items = model(), columns(data().test)
    with torch.inference_mode():
        drawn = made.decode(made.sample(whole(made, items), torch.Generator().manual_seed(0)))
    assert drawn["caption"] == items["caption"]
    assert drawn["images"].shape == items["images"].shape


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_samples_are_those_of_diffusers_own_pipeline(guidance: float, tmp_path: Path) -> None:
    """With DDIM, the same first noise and the same guidance."""
    made, items = model(guidance_scale=guidance, inference_steps=4), columns(data().test)
    pipeline = StableDiffusionPipeline.from_pretrained(saved(made, tmp_path))
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    batch = made.collate(made.encode(items), torch.arange(4))
    first = torch.randn(4, 2, 4, 4, generator=torch.Generator().manual_seed(5))
    known = {"height": 8, "width": 8, "num_inference_steps": 4, "guidance_scale": guidance, "output_type": "pt"}
    wanted = pipeline(items["caption"][:4], latents=first, **known).images * 2 - 1
    with torch.inference_mode():
        found = made.sample(batch, torch.Generator().manual_seed(5))["images"]
    assert torch.allclose(found, wanted, atol=1e-4)


# Parts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [{}, {"mid_block_type": None}, {"layers_per_block": 1}])
def test_blocks_are_all_the_weights_from_input_to_output(sizes: dict[str, Any]) -> None:
    made = model({"unet": ARCHITECTURE["unet"] | sizes})
    held = [set(block.parameters()) for block in made.blocks()]
    assert set.union(*held) == set(made.network.parameters())
    assert sum(map(len, held)) == len(list(made.network.parameters())), "none is in two blocks"
    assert made.network.get_input_embeddings().weight in held[0]
    assert made.network.unet.conv_out.weight in held[-1]
    end = {parameter for part in made.generating_end() for parameter in part.parameters()}
    assert end == set.union(*held[-3:]), "the two blocks of the way up, and the exit"


def test_a_student_is_smaller_starts_from_the_teacher_and_shares_its_latents() -> None:
    made = model()
    student = made.student()
    assert isinstance(student, TextToImage)
    assert sum(p.numel() for p in student.network.parameters()) < 0.8 * sum(
        p.numel() for p in made.network.parameters()
    )
    assert len(student.network.reader.encoder.layers) == 1
    for name, value in student.network.reader.state_dict().items():
        assert torch.equal(value, made.network.reader.state_dict()[name]), name
    assert student.vae is made.vae
    assert torch.isfinite(outputs(student, data())).all()
    with pytest.raises(NotApplicable, match="no smaller U-Net"):
        model({"unet": ARCHITECTURE["unet"] | {"layers_per_block": 1, "norm_num_groups": 4}}).student()


def test_a_fresh_network_keeps_latents_and_words() -> None:
    made = model()
    new = made.fresh()
    old, fresh = made.network.state_dict(), new.network.state_dict()
    assert not any(torch.equal(old[name], fresh[name]) for name in old if old[name].dim() > 1)
    assert (new.vae, new.tokenizer) == (made.vae, made.tokenizer)


def test_smaller_pictures_and_hidden_patches() -> None:
    made = model()
    batch = made.collate(made.encode(data().train), torch.arange(4))
    small = made.draw(made.coarser(batch, 0.5), torch.Generator().manual_seed(0))
    assert made(small).shape == (4, 2, 2, 2)
    spoilt = made.draw(made.corrupted(batch, 0.25, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(0))
    assert spoilt["hidden"].shape == (4, 1, 4, 4)
    assert spoilt["hidden"].sum((1, 2, 3)).tolist() == [4] * 4
    found = made(spoilt)
    off = torch.where(spoilt["hidden"], spoilt["noise"], spoilt["noise"] + 9)
    assert float(made.loss(spoilt, off)) == pytest.approx(0, abs=1e-9), "what is not hidden does not count"
    assert float(made.loss(spoilt, found).detach()) > 0


# Checkpoints ----------------------------------------------------------------------------------------------------------


def test_saving_and_loading_change_nothing(tmp_path: Path) -> None:
    made = model({"scheduler": {"prediction_type": "v_prediction"}})
    again = load(saved(made, tmp_path), **OPTIONS)
    assert same(weights(made), weights(again))
    assert again.noise.config.prediction_type == "v_prediction"
    assert torch.equal(outputs(made, data()), outputs(again, data()))
    assert again.encoding() == made.encoding()


def test_what_diffusers_saves_is_loaded_whatever_scheduler_it_has(tmp_path: Path) -> None:
    made = model()
    pipeline = StableDiffusionPipeline.from_pretrained(saved(made, tmp_path / "ours"))
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.unet.bfloat16()
    pipeline.save_pretrained(tmp_path / "theirs")
    again = load(tmp_path / "theirs", **OPTIONS)
    assert {tensor.dtype for tensor in again.parameters()} == {torch.float32}
    assert torch.allclose(outputs(made, data()), outputs(again, data()), atol=0.1)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def another_pipeline(folder: Path) -> None:
    edit(folder / "model_index.json", _class_name="StableDiffusionXLPipeline")


def no_weights(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def cut_short(folder: Path) -> None:
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-500])


def no_text_encoder(folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder")


def missing_words(folder: Path) -> None:
    path = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    tensors.pop(next(name for name in tensors if name.endswith("token_embedding.weight")))
    save_file(tensors, path, metadata={"format": "pt"})


def more_channels(folder: Path) -> None:
    edit(folder / "unet" / "config.json", in_channels=5)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["conv_in.weight"] = torch.zeros(4, 5, 3, 3)
    save_file(tensors, path, metadata={"format": "pt"})


def another_noise(folder: Path) -> None:
    edit(folder / "scheduler" / "scheduler_config.json", _class_name="ScoreSdeVeScheduler")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (another_pipeline, "its pipeline is a StableDiffusionXLPipeline; name one of a StableDiffusionPipeline"),
        (no_weights, "not a StableDiffusionPipeline with safetensors"),
        (cut_short, "not a StableDiffusionPipeline with safetensors"),
        (no_text_encoder, "not a StableDiffusionPipeline with safetensors"),
        (missing_words, "its text_encoder has no weights for .*token_embedding"),
        (more_channels, r"other channels than its latents \(5 in, 2 out, 2"),
        (another_noise, "ScoreSdeVeScheduler does not add noise as DDPM does"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(saved(model(), tmp_path))
    with pytest.raises(CheckpointError, match=f"^checkpoint {tmp_path}: .*{said}") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ({"layers": 3}, "unknown 'layers'; its parts are unet, vae, text_encoder, scheduler, vocab_size, length"),
        ({"text_encoder": {"width": 3}}, "unknown 'width'"),
        ({"unet": {"width": 3}}, "cannot be built"),
        ({"vocab_size": 100}, "vocab_size of 100 has no room for the 512 bytes"),
        ({"vae": {"block_out_channels": [4] * 5}}, "cannot be built"),
        (
            {"unet": ARCHITECTURE["unet"] | {"cross_attention_dim": 4}},
            "writes 8 features of a token, its U-Net reads 4",
        ),
    ],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=f"^architecture .*{said}") as caught:
        TextToImage.from_architecture(ARCHITECTURE | architecture, source())
    assert "\n" not in str(caught.value)


def test_more_steps_than_the_scheduler_has_are_refused() -> None:
    with pytest.raises(CheckpointError, match="20 inference_steps, its scheduler has 10"):
        model({"scheduler": {"num_train_timesteps": 10}}, inference_steps=20)
