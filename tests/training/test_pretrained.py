"""Base models and encoded data: made once, whoever asks and however often."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import cache, dataset
from bench.checkpoints import hub
from bench.dataset import Items
from bench.errors import CheckpointError
from bench.families.causal_lm import CausalLM
from bench.model import Batch, Model
from bench.suite.cell import DatasetSpec, ModelSpec, Recipe
from bench.training import pretrained
from tests.models import data_of, language_model, model_of, same, saved, texts, weights
from tests.plans import cells

STEPS = 3
SMALL: dict[str, dict[str, Any]] = {
    "causal_lm": {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 16, "vocab_size": 280},
    "diffusion": {
        "block_out_channels": [8],
        "norm_num_groups": 4,
        "down_block_types": ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"],
    },
}
SOURCES = {"causal_lm": "python_reference", "diffusion": "glyphs"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and tiny domains under the names of real ones."""
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "cache"))
    families = {source: family for family, source in SOURCES.items()}
    monkeypatch.setattr(dataset, "load", lambda name, options: data_of(families[name]))


def recipe(family: str = "causal_lm", options: dict[str, Any] | None = None, **changes: Any) -> ModelSpec:
    known: dict[str, Any] = {
        "architecture": SMALL[family],
        "source": DatasetSpec(name=SOURCES[family]),
        "steps": STEPS,
        "batch_size": 4,
    }
    return ModelSpec(family=family, recipe=Recipe(**known | changes), options=options or {})


def count(spec: ModelSpec) -> tuple[Model, list[int]]:
    """The model, and the steps it took to get it."""
    steps: list[int] = []
    return pretrained.load(spec, steps.append), steps


# Recipes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", SOURCES)
def test_a_recipe_is_pretrained_on_first_use_only(family: str) -> None:
    spec = recipe(family)
    assert pretrained.recipe_steps(spec) == STEPS
    first, steps = count(spec)
    assert steps == [1, 2, 3]
    assert pretrained.recipe_steps(spec) == 0
    again, steps = count(spec)
    assert steps == []
    assert same(weights(first), weights(again))
    assert first.encoding() == again.encoding()


def test_every_call_gives_a_copy_of_its_own() -> None:
    one, other = (pretrained.load(recipe()) for _ in range(2))
    before = weights(other)
    torch.nn.init.zeros_(next(one.parameters()))
    assert same(weights(other), before)
    assert same(weights(pretrained.load(recipe())), before)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": STEPS + 1},
        {"learning_rate": 1e-4},
        {"batch_size": 3},
        {"seed": 1},
        {"architecture": SMALL["causal_lm"] | {"n_embd": 16}},
        {"source": DatasetSpec(name="python_reference", options={"size": 9})},
        {"options": {"context": 7}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_recipe_is_another_model(change: dict[str, Any]) -> None:
    count(recipe())
    _, steps = count(recipe(**change))
    assert steps, "nothing of the first may be taken for it"


def test_pretraining_depends_on_its_seed_alone_and_leaves_other_random_numbers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    one = pretrained.load(recipe())
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "another"))
    torch.manual_seed(5)
    assert pretrained.recipe_steps(recipe()) == STEPS
    count(recipe())
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(6)
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "third"))
    assert same(weights(one), weights(pretrained.load(recipe())))


class Interrupted(BaseException):
    """As Ctrl-C is."""


def test_interrupted_pretraining_leaves_nothing() -> None:
    def interrupt(taken: int) -> None:
        if taken == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        pretrained.load(recipe(), interrupt)
    assert [path for path in (cache.root() / "models").iterdir() if path.is_dir()] == []
    _, steps = count(recipe())
    assert steps == [1, 2, 3]


def _ask(spec: ModelSpec, into: Path, barrier: Any) -> None:
    torch.set_num_threads(1)
    barrier.wait()
    model, steps = count(spec)
    into.write_text(json.dumps([len(steps), float(sum(p.double().sum() for p in model.parameters()).item())]))  # type: ignore[union-attr]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes here cannot be forked")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_of_several_processes_one_pretrains(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    paths = [tmp_path / f"{index}.json" for index in range(3)]
    processes = [context.Process(target=_ask, args=(recipe(), path, barrier)) for path in paths]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    steps, sums = zip(*(json.loads(path.read_text()) for path in paths), strict=True)
    assert sorted(steps) == [0, 0, STEPS]
    assert len(set(sums)) == 1


# Checkpoints ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", SOURCES)
def test_a_checkpoint_is_loaded_as_it_is(family: str, tmp_path: Path) -> None:
    model = model_of(family)
    spec = ModelSpec(family=family, checkpoint=str(saved(model, tmp_path / "model")))
    assert pretrained.recipe_steps(spec) == 0
    loaded, steps = count(spec)
    assert steps == []
    assert same(weights(loaded), weights(model))


def test_options_reach_the_family(tmp_path: Path) -> None:
    spec = ModelSpec(
        family="causal_lm", checkpoint=str(saved(language_model(), tmp_path / "model")), options={"context": 5}
    )
    model = pretrained.load(spec)
    assert isinstance(model, CausalLM)
    assert model.context == 5


@pytest.mark.parametrize(
    ("asked", "given"), [({}, (None, False)), ({"trust_remote_code": True, "revision": "v2"}, ("v2", True))]
)
def test_code_of_a_checkpoint_runs_only_where_it_is_asked_for(
    asked: dict[str, Any], given: tuple[str | None, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str | None, bool]] = []
    snapshot = saved(language_model(), tmp_path)

    def fetched(repository: str, revision: str | None, *, code: bool) -> Path:
        seen.append((revision, code))
        return snapshot

    def note(checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> CausalLM:
        assert (checkpoint, revision, trust_remote_code) == (str(snapshot), None, seen[0][1])
        return language_model()

    monkeypatch.setattr(hub, "folder", fetched)
    monkeypatch.setattr(CausalLM, "from_checkpoint", note)
    pretrained.load(ModelSpec(family="causal_lm", checkpoint="someone/model", **asked))
    assert seen == [given]


def test_a_recipe_runs_no_code_of_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    count(recipe())
    seen: list[Any] = []

    def note(checkpoint: str, **given: Any) -> CausalLM:
        seen.append(given)
        return language_model()

    monkeypatch.setattr(CausalLM, "from_checkpoint", note)
    pretrained.load(recipe().model_copy(update={"trust_remote_code": True, "revision": "v2"}))
    assert seen == [{"revision": None, "trust_remote_code": False}]


def test_a_missing_checkpoint_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=str(tmp_path)) as caught:
        pretrained.load(ModelSpec(family="causal_lm", checkpoint=str(tmp_path)))
    assert "\n" not in str(caught.value)


# Encoded data ---------------------------------------------------------------------------------------------------------


def test_data_are_encoded_once_for_each_encoding_and_content(monkeypatch: pytest.MonkeyPatch) -> None:
    encode, done = CausalLM.encode, list[int]()

    def note(model: CausalLM, items: Items) -> Batch:
        done.append(len(items))
        return encode(model, items)

    monkeypatch.setattr(CausalLM, "encode", note)
    model, items = language_model(), texts().train
    first = pretrained.encode(model, items)
    assert same(first, pretrained.encode(language_model("llama"), items)), "another network with the same tokenizer"
    assert done == [len(items)]
    pretrained.encode(language_model(context=5), items)
    pretrained.encode(model, items[:-1])
    assert done == [len(items), len(items), len(items) - 1]
    assert same(first, encode(model, items))


def test_what_needs_no_weights_waits_for_no_pretraining(tmp_path: Path) -> None:
    """Options are tried on the architecture alone, where pretraining it would take years."""
    spec = cells(tmp_path, approach="lora")[0].model
    assert spec.recipe is not None
    endless = spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"steps": 10**12})})
    model = pretrained.load(endless, trained=False)
    assert len(model.blocks()) == 4, "the embeddings, two layers, the head"
    assert pretrained.recipe_steps(endless) == 10**12
