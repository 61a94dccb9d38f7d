"""What a suite needs of the Hugging Face hub, brought here: models, datasets, weights of metrics. No torch.

A hub checkpoint is always loaded from its snapshot in the hub's cache (``HF_HOME``), which holds what a model is made
of and none of its pickles. Plugins that need something else of a network say so: a module's function
``fetch(**options) -> bool`` brings it and says whether it was missing; its constant ``HUB`` names options that hold the
hub id of a model.
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import plugins
from bench.cell import ModelSpec
from bench.checkpoint import HUB_ID
from bench.errors import BenchError, CheckpointError
from bench.plugins import Plugin
from bench.suite import Suite

REMEDY = "run `bench fetch SUITE` where there is a network"

_ABOUT = (".json", ".txt", ".model", ".spm", ".jinja", ".tiktoken")  # configurations, vocabularies, templates
_WEIGHTS = re.compile(r"(model|diffusion_pytorch_model|adapter_model)(-\d+-of-\d+)?\.safetensors")
_LEFT_OUT = "safety_checker/"  # judges what a pipeline made, and is as large as the rest of it


class Item(NamedTuple):
    """Something a suite needs, whether it had to be fetched, and why it could not be; empty where it is there."""

    name: str
    fetched: bool
    fault: str = ""


def fetch(suite: Suite) -> Iterator[Item]:
    """Bring all that a suite needs, item by item; what cannot be had keeps nothing else from coming."""
    seen = set()
    for name, bring in _needed(suite):
        if name not in seen:
            seen.add(name)
            try:
                yield Item(name, bring())
            except BenchError as error:
                yield Item(name, fetched=False, fault=str(error))


def is_hub(spec: ModelSpec) -> bool:
    """Whether a model's checkpoint is a repository of the hub: no folder, and no name that a server knows."""
    if spec.recipe or spec.fingerprint is not None or Path(spec.checkpoint or "").is_dir():
        return False
    return "network" in plugins.find("families", spec.family).stated("OFFERS")


def local(spec: ModelSpec) -> Path | None:
    """The folder that a model is loaded from, as far as it has one and that is on this machine already."""
    if spec.recipe or "network" not in plugins.find("families", spec.family).stated("OFFERS"):
        return None
    return _snapshot(spec.checkpoint or "", spec.revision) if is_hub(spec) else Path(spec.checkpoint or "")


def folder(repository: str, revision: str | None, *, code: bool = False) -> Path:
    """The snapshot of a model in the hub's cache; fetched where it is not there, unless ``HF_HUB_OFFLINE`` is set."""
    if found := _snapshot(repository, revision):
        return found
    model(repository, revision, code=code)
    found = _snapshot(repository, revision)
    assert found is not None
    return found


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def model(repository: str, revision: str | None, *, code: bool = False) -> bool:
    """Bring the files of a model in safetensors; whether any was missing.

    Args:
        repository: hub id.
        revision: branch, tag or commit.
        code: whether its Python files are wanted, too.

    Raises:
        CheckpointError: there is no such repository or revision, it holds no safetensors, or it cannot be reached.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    where = f"checkpoint {repository}" + (f" at {revision}" if revision else "")
    before = _snapshot(repository, revision)
    if constants.HF_HUB_OFFLINE:
        if before:
            return False
        raise CheckpointError(f"{where}: not in the hub's cache {constants.HF_HUB_CACHE}; {REMEDY}")
    had = _files(before) if before else set()
    try:
        listed = [file.rfilename for file in HfApi().model_info(repository, revision=revision).siblings or []]
        if not (wanted := chosen(listed, code=code)):
            raise CheckpointError(f"{where}: it holds no safetensors; name a revision or a repository that does")
        had_now = _files(Path(snapshot_download(repository, revision=revision, allow_patterns=wanted)))
    except GatedRepoError as error:
        remedy = "ask for access on its page, and set HF_TOKEN"
        raise CheckpointError(f"{where}: its owners grant access one by one; {remedy}") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(f"{where}: the hub has no such model; check the id, or set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{where}: the hub has no such revision; check it") from error
    except CheckpointError:
        raise
    except Exception as error:  # what the hub's client and the one below it raise of networks, disks, malformed ids
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{where}: cannot be fetched from {constants.ENDPOINT} ({said}); {REMEDY}") from error
    return not had_now <= had


def chosen(names: Iterable[str], *, code: bool = False) -> list[str]:
    """Of a repository's files those that a model is loaded from; empty where it has no safetensors.

    Weights under the names that libraries give them leave out other precisions and single files of whole pipelines.
    """
    kept = [name for name in names if not name.startswith(_LEFT_OUT)]
    tensors = [name for name in kept if name.endswith(".safetensors")]
    weights = [name for name in tensors if _WEIGHTS.fullmatch(name.rpartition("/")[2])] or tensors
    about = [name for name in kept if name.endswith((*_ABOUT, ".py") if code else _ABOUT)]
    return sorted(weights + about) if weights else []


def _snapshot(repository: str, revision: str | None) -> Path | None:
    """A model's snapshot in the hub's cache where it holds safetensors."""
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}")
    named = root / "refs" / (revision or "main")
    found = root / "snapshots" / (named.read_text().strip() if named.is_file() else revision or "main")
    return found if any(found.rglob("*.safetensors")) else None


def _files(snapshot: Path) -> set[Path]:
    return {path for path in snapshot.rglob("*") if path.is_file()}


def _needed(suite: Suite) -> Iterator[tuple[str, Any]]:
    """Name of each thing to how it is brought."""
    for cell in suite.cells:
        if (spec := cell.model).fault:
            yield f"model {cell.model_name}", _lacking(f"model {cell.model_name}: {spec.fault}")
        if is_hub(spec):
            yield f"model {spec.checkpoint}{f' at {spec.revision}' if spec.revision else ''}", _bring(spec)
        for data in (cell.target, *([spec.recipe.source] if spec.recipe else [])):
            if data.fault:
                yield f"dataset {data.name}", _lacking(f"dataset {data.name}: {data.fault}")
            yield from _of_plugin(plugins.find("datasets", data.plugin), data.options)
        for name, options in cell.metrics:
            yield from _of_plugin(plugins.find("metrics", name), options)
            if space := options.get("space"):
                feature = plugins.find("features", space)
                given = {"weights": options["weights"]} if options.get("weights") else {}
                yield from _of_plugin(feature, feature.defaults | given)


def _lacking(said: str) -> Any:
    """Of what should be on this machine: there is nothing to bring, and a run will lack it."""

    def bring() -> bool:
        raise BenchError(said)

    return bring


def _bring(spec: ModelSpec) -> Any:
    return lambda: model(spec.checkpoint or "", spec.revision, code=spec.trust_remote_code)


def _of_plugin(plugin: Plugin, options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for option in plugin.constants.get("HUB", ()):
        repository = options.get(option) or ""
        if not Path(repository).expanduser().exists() and HUB_ID.fullmatch(repository):
            yield f"model {repository}", lambda repository=repository: model(repository, None)
    if "fetch" in plugin.functions:
        of = ", ".join(f"{name}: {value}" for name, value in options.items() if value != plugin.defaults.get(name))

        def bring() -> Any:
            plugin.load()  # says so where a package of an extra is missing
            return importlib.import_module(plugin.module).fetch(**options)

        yield f"{plugins.singular(plugin.kind)} {plugin.name}{f' ({of})' if of else ''}", bring
