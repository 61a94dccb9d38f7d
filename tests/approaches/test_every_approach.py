"""What holds of every approach, and of approaches in composition, with every family."""

import itertools
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from bench import plugins
from bench.budget import Budget
from bench.device import accelerator
from bench.errors import Incompatible, NotApplicable
from bench.suite import composition
from bench.suite.cell import ModelSpec
from bench.training import pretrained
from bench.transfer import Transfer, load, save
from tests.models import batch_of, data_of, fitted, outputs, pool_of, prepare, same, source_of, transfer_of, weights

COMPOSITIONS = [
    "lora + augmentation",
    "lora + gradual_unfreezing",
    "distillation + augmentation",
    "from_scratch + augmentation",
    "feature_extraction + gradual_unfreezing",
    "feature_extraction + augmentation",
    "full_finetuning + augmentation",
    "distillation + lora",
    "distillation + gradual_unfreezing",
    "lora + augmentation + l2_sp",
    "lora + meta_learning",
    "synthetic_pretraining + intermediate_task + bitfit",
    "multitask + active_learning + learning_rate_schedule",
]
FAMILIES = plugins.names("families")
COMPOSED = ("causal_lm", "diffusion", "gan")
"""Families that compositions are tried with: one that predicts, one that denoises, one of two players."""

APPROACHES = plugins.names("approaches")
PAIRS = list(itertools.product(APPROACHES, FAMILIES))
TRAINED_HERE = [name for name in FAMILIES if "network" in plugins.find("families", name).stated("OFFERS")]
STEPS = 8

DECODERS = {"causal_lm", "molecules"}
ONLY_ON = {
    "cross_domain_correspondence": {"autoencoder", "cyclegan", "diffusion", "gan", "text_to_image", "vae"},
    "dreambooth": {"text_to_image"},
    "few_shot_prompting": DECODERS | {"hosted_lm"},
    "freeze_d": {"cyclegan", "gan"},
    "minegan": {"gan"},
    "prefix_tuning": DECODERS | {"seq2seq"},
    "prompt_tuning": DECODERS | {"seq2seq"},
    "real_data": set(FAMILIES),
    "textual_inversion": {"text_to_image"},
    "training_data": set(FAMILIES),
    "zero_shot": set(FAMILIES),
}
NOT_ON = {
    "intermediate_task": {"audio", "cyclegan", "text_to_image"},
    "progressive_training": {"gan", "vae"},
    "self_supervised": {"cyclegan", "gan"},
    "synthetic_pretraining": {"audio", "cyclegan", "molecules", "seq2seq", "text_to_image"},
}
REFUSED = {("prefix_tuning", "seq2seq"): ("peft", "transformers")}
"""Pairs that mean something, and that installed libraries do not do: failed rows, which name them."""


def has_meaning(approach: str, family: str) -> bool:
    """Whether an approach applies. The exact set, so that a library that breaks one does not pass for "no meaning"."""
    trained_here = set(FAMILIES) - {"hosted_lm"}
    return family in ONLY_ON.get(approach, trained_here - NOT_ON.get(approach, set()))


KINDS = (
    ("causal_lm", "masked_lm", "molecules", "seq2seq"),
    ("diffusion", "audio", "text_to_image"),
    ("gan", "cyclegan"),
    ("vae", "autoencoder"),
)
"""Families that learn alike: they predict, remove noise, play against a critic, restore."""
NEWEST: set[str] = set()
"""Approaches and families that are tried with everything until the next ones come."""


DOZEN = 12


def choice() -> set[tuple[str, str]]:
    """A part of all pairs: each approach on one family of each kind, the next approach on the next one, and each family
    with a dozen approaches; what applies to four families or fewer, on all of them."""
    found = {pair for pair in PAIRS if not has_meaning(*pair) or NEWEST & set(pair) or pair in REFUSED}
    for number, approach in enumerate(APPROACHES):
        kinds = [here for kind in KINDS if (here := [family for family in kind if has_meaning(approach, family)])]
        few = sum(map(len, kinds)) <= 4
        found |= {(approach, family) for kind in kinds for family in (kind if few else [kind[number % len(kind)]])}
    for family in TRAINED_HERE:
        applicable = [(approach, family) for approach in APPROACHES if has_meaning(approach, family)]
        more = DOZEN - len(found.intersection(applicable))
        found |= set([pair for pair in applicable if pair not in found][: max(0, more)])
    return found | {pair for pair in PAIRS if pair[1] == "hosted_lm"}


CHOSEN = choice()
CASES = [pytest.param(*pair, marks=() if pair in CHOSEN else pytest.mark.whole) for pair in PAIRS]
for number, composed in enumerate(COMPOSITIONS):  # with the first family always, with the others in turn
    chosen = COMPOSED[0], COMPOSED[1 + number % 2]
    CASES += [pytest.param(composed, at, marks=() if at in chosen else pytest.mark.whole) for at in COMPOSED]


def test_the_choice_covers_every_approach_and_family() -> None:
    """With `pytest -m ''`, as in `tox -e contract`, all pairs are tried."""
    for approach in APPROACHES:
        applicable = [kind for kind in KINDS if any(has_meaning(approach, family) for family in kind)]
        tried = [
            kind
            for kind in KINDS
            if any((approach, family) in CHOSEN for family in kind if has_meaning(approach, family))
        ]
        assert tried == applicable
    for family in set(FAMILIES) - {"hosted_lm"}:
        assert sum((approach, family) in CHOSEN for approach in APPROACHES if has_meaning(approach, family)) >= DOZEN


def set_up(spec: ModelSpec, approach: str, seed: int = 0) -> Transfer:
    source, pool = source_of(spec.family), pool_of(spec.family)
    device = accelerator(Budget(steps=STEPS)).device
    model = pretrained.load(spec).to(device)
    transfer = transfer_of(model, data_of(spec.family), steps=STEPS, seed=seed, source=source, pool=pool)
    prepare(transfer, approach).model.to(device)
    return transfer


@pytest.mark.parametrize(("approach", "family"), CASES)
def test_contract(approach: str, family: str, checkpoints: dict[str, ModelSpec], tmp_path: Path) -> None:
    assert contract(approach, checkpoints[family], tmp_path) is not False, "the same seed, the same bits"


def contract(approach: str, spec: ModelSpec, folder: Path) -> bool | None:
    """It finishes, or says why it does not apply, and that just where it has no meaning.

    Whether the same seed gave the same bits, which a GPU does not promise; None where nothing was trained.
    """
    family, on_disk = spec.family, contents(spec)
    parts = [plugins.find("approaches", part) for part in approach.split(" + ")]
    reason = composition.inapplicable(parts, plugins.find("families", family), also=("source",))
    if libraries := REFUSED.get((approach, family)):
        with pytest.raises(Incompatible, match=" and ".join(f"{name} {version(name)}" for name in libraries)):
            set_up(spec, approach)
        return None
    try:
        transfer = None if reason else set_up(spec, approach)
    except NotApplicable as end:
        transfer, reason = None, str(end)
    assert (transfer is not None) == has_meaning(approach, family), reason
    if transfer is None:
        assert len(reason.split()) > 3
        assert "\n" not in reason
        return None
    trains = all(part.constants.get("TRAINS", True) for part in parts)
    wanted, kept, before = STEPS * trains, set(transfer.stored()), weights(transfer.model)

    fitted(transfer)

    assert transfer.taken == wanted, "it takes its budget, no less and no more"
    assert sum(transfer.spent.values()) == wanted, "and says where"
    steps = [row["step"] for row in transfer.curve if "train_loss" in row]
    assert steps == sorted(set(steps))
    assert {row["stage"] for row in transfer.curve if "validation_loss" in row} <= {""}, "only the target is validated"
    losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
    assert not transfer.changed, "no built-in changes what the loop kept, so nothing is validated again"
    assert not trains or transfer.validation_loss == min(losses), "what it ends with is what was best"
    # what is best on validation stays, and players whose losses are about each other need not get there in a few steps
    in_vain = "critic" in transfer.model.offers and trains and losses[0] == min(losses)
    assert same(before, weights(transfer.model)) == (not trains or in_vain)
    assert set(transfer.stored()) == kept, "what is stored stays the same, whatever was frozen or thawed meanwhile"
    repeated = same(weights(transfer.model), weights(fitted(set_up(spec, approach)).model))

    batch, generator = batch_of(transfer.model, transfer.data), torch.Generator().manual_seed(0)
    with torch.inference_mode():
        assert len(transfer.model.decode(transfer.model.sample(batch, generator))) == 4

    save(transfer.stored(), folder / "stored.safetensors")
    again = set_up(spec, approach)
    load(again.stored(), folder / "stored.safetensors")
    before_and_after = outputs(transfer.model, transfer.data), outputs(again.model, again.data)
    off = 0.0 if transfer.model.device.type == "cpu" else 1e-4
    assert torch.allclose(*before_and_after, rtol=off, atol=off), "what was stored is the whole of it"

    assert contents(spec) == on_disk, "the pretrained model on disk is nobody's to change"
    return repeated


@pytest.mark.parametrize(
    ("approach", "family"),
    [
        *(("from_scratch", family) for family in TRAINED_HERE),
        *(
            pytest.param("distillation + augmentation", family, marks=() if family in COMPOSED else pytest.mark.whole)
            for family in TRAINED_HERE
        ),
    ],
)
def test_another_seed_gives_other_weights(approach: str, family: str, checkpoints: dict[str, ModelSpec]) -> None:
    one, other = (fitted(set_up(checkpoints[family], approach, seed)) for seed in (0, 1))
    assert not same(weights(one.model), weights(other.model))


def contents(spec: ModelSpec) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(spec.checkpoint or "").rglob("*") if path.is_file()}
