"""Base models and encoded data: what all cells of a suite share, made once and kept in the cache."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap

from bench import cache, dataset, plugins
from bench.budget import Budget
from bench.checkpoints import hub, inspection
from bench.dataset import Columns, Dataset, Items
from bench.errors import CheckpointError
from bench.model import Batch, Model
from bench.suite.cell import ModelSpec, Recipe
from bench.training import loop
from bench.transfer import Transfer

_ENCODING_GENERATION = 2
"""Raised when a family of ours encodes in another way, or encoded data are kept in another form."""

_AT_ONCE, _BYTES = 1024, 1 << 27
"""Items that are encoded at a time, at most, and what their rows may take: a large folder need not fit into memory."""

_RECIPE_GENERATION = 1
"""Raised when pretraining changes: models of an older generation are trained anew."""


def load(spec: ModelSpec, progress: Callable[[int], None] = lambda taken: None, *, trained: bool = True) -> Model:
    """The pretrained model on the CPU, a fresh copy at every call; a recipe is pretrained on first use.

    Unless it must be ``trained``: then the architecture alone will do where that was not yet done. Raises
    :class:`bench.errors.CheckpointError` where it cannot be loaded.
    """
    if spec.fault:
        raise CheckpointError(f"checkpoint: {spec.fault}")
    if fault := inspection.fault(spec) if spec.recipe else "":
        raise CheckpointError(f"architecture: {fault}")
    family = plugins.find("families", spec.family).load()
    if spec.recipe and not trained and recipe_steps(spec):
        untrained: Model = family.from_architecture(spec.recipe.architecture, _source(spec.recipe), **spec.options)
        return untrained
    if hub.is_hub(spec):
        return _from_hub(spec, family)
    if (folder := hub.local(spec)) and (fault := inspection.fault(spec, folder)):
        raise CheckpointError(f"checkpoint {spec.checkpoint}: {fault}")
    checkpoint = str(_recipe_folder(spec, family, progress)) if spec.recipe else spec.checkpoint
    revision, trusted = (None, False) if spec.recipe else (spec.revision, spec.trust_remote_code)
    return _complete(
        family.from_checkpoint(checkpoint, revision=revision, trust_remote_code=trusted, **spec.options), checkpoint
    )


def _from_hub(spec: ModelSpec, family: type[Model]) -> Model:
    """From its snapshot in the hub's cache, so that every family needs the network for nothing."""
    assert spec.checkpoint is not None
    folder = str(hub.folder(spec.checkpoint, spec.revision, code=spec.trust_remote_code))
    try:
        if fault := inspection.fault(spec, Path(folder)):
            raise CheckpointError(f"checkpoint {folder}: {fault}")
        return _complete(
            family.from_checkpoint(folder, revision=None, trust_remote_code=spec.trust_remote_code, **spec.options),
            spec.checkpoint,
        )
    except CheckpointError as error:
        also = f"; if something of it is missing here, {hub.REMEDY}" if hub.offline() else ""
        raise CheckpointError(str(error).replace(folder, spec.checkpoint) + also) from error


def _complete(model: Model, checkpoint: str | None) -> Model:
    """The model, if its checkpoint had all its weights: libraries leave the others without a value."""
    if missing := next((name for name, weight in model.named_parameters() if weight.is_meta), None):
        raise CheckpointError(f"checkpoint {checkpoint}: it has no weights for {missing}; name a complete one")
    return model


def encode(model: Model, items: Items) -> Batch:
    """``model.encode(items)``, computed once per machine for each encoding and content; it stays on disk until used."""
    key = {"items": dataset.items_hash(items), "encoding": model.encoding(), "generation": _ENCODING_GENERATION}
    found = cache.folder("encoded", key, lambda into: _write(model, items, into))
    return {path.stem: torch.from_numpy(np.load(path, mmap_mode="c")) for path in sorted(found.glob("*.npy"))}


def _write(model: Model, items: Items, into: Path) -> None:
    """Encode part by part: arrays, each item a row, straight to disk; texts, of unknown numbers of rows, in memory."""
    columns = [items[name] for name in items.names] if isinstance(items, Columns) else [items]
    one_each = any(isinstance(column, np.ndarray) for column in columns)
    size = _AT_ONCE
    if one_each and len(items) > 1:
        size = min(size, max(1, _BYTES // sum(rows.nbytes for rows in model.encode(items[:1]).values())))
    kept: dict[str, Any] = {}
    for start in range(0, len(items), size):
        for name, rows in model.encode(items[start : start + size]).items():
            part = rows.numpy() + (start if name == "item" else 0)
            if not one_each:
                kept.setdefault(name, []).append(part)
                continue
            if start == 0:
                kept[name] = open_memmap(into / f"{name}.npy", "w+", part.dtype, (len(items), *part.shape[1:]))
            kept[name][start : start + len(part)] = part
    for name in kept if not one_each else ():
        np.save(into / f"{name}.npy", np.concatenate(kept[name]))


def recipe_steps(spec: ModelSpec) -> int:
    """Gradient steps still to take before the model can be loaded."""
    return spec.recipe.steps if spec.recipe and not cache.lookup("models", _recipe_key(spec)) else 0


def source(spec: ModelSpec) -> Dataset | None:
    """The domain a model was pretrained on, where it is one of those that are known here."""
    if spec.recipe:
        return _source(spec.recipe)
    return dataset.load(spec.source) if spec.source in plugins.names("datasets") else None


def _source(recipe: Recipe) -> Dataset:
    return dataset.load(recipe.source.plugin, recipe.source.options)


def _recipe_key(spec: ModelSpec) -> dict[str, object]:
    assert spec.recipe is not None
    source = _source(spec.recipe)
    family = plugins.find("families", spec.family)
    return {
        "family": spec.family,
        "recipe": spec.recipe.model_dump(exclude={"source": {"dataset", "content"}}),  # its fingerprint stands below
        "options": spec.options,
        "source": source.fingerprint,
        "code": None if family.module.startswith("bench.") else family.version(),
        "generation": _RECIPE_GENERATION,
    }


def _recipe_folder(spec: ModelSpec, family: type[Model], progress: Callable[[int], None]) -> Path:
    return cache.folder("models", _recipe_key(spec), lambda into: _pretrain(spec, family, into, progress))


def _pretrain(spec: ModelSpec, family: type[Model], into: Path, progress: Callable[[int], None]) -> None:
    recipe = spec.recipe
    assert recipe is not None
    source = _source(recipe)
    budget = Budget(steps=recipe.steps, batch_size=recipe.batch_size, learning_rate=recipe.learning_rate)
    with torch.random.fork_rng(), _threads(recipe.threads):
        torch.manual_seed(recipe.seed)
        model = family.from_architecture(recipe.architecture, source, **spec.options)
        transfer = Transfer(
            model=model,
            data=source,
            budget=budget,
            seed=recipe.seed,
            encode=lambda items: encode(model, items),
            loop=loop,
            progress=progress,
        )
        transfer.fit(recipe.steps)
    model.save(into)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
