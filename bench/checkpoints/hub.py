"""A checkpoint's snapshot in the hub's cache (``HF_HOME``), and how it is brought there. No torch.

The snapshot holds what a model is made of and none of its pickles; a hub checkpoint is always loaded from there.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from bench import plugins
from bench.errors import CheckpointError
from bench.suite.cell import ModelSpec

REMEDY = "run `bench fetch SUITE` where there is a network"

_ABOUT = (".json", ".txt", ".model", ".spm", ".jinja", ".tiktoken")  # configurations, vocabularies, templates
_WEIGHTS = re.compile(r"(model|diffusion_pytorch_model|adapter_model)(-\d+-of-\d+)?\.safetensors")
_LEFT_OUT = "safety_checker/"  # judges what a pipeline made, and is as large as the rest of it


def is_hub(spec: ModelSpec) -> bool:
    """Whether a model's checkpoint is a repository of the hub: no folder, and no name that a server knows."""
    if spec.recipe or spec.fingerprint is not None or Path(spec.checkpoint or "").is_dir():
        return False
    return "network" in plugins.find("families", spec.family).stated("OFFERS")


def local(spec: ModelSpec) -> Path | None:
    """The folder that a model is loaded from, as far as it has one and that is on this machine already."""
    if spec.recipe or "network" not in plugins.find("families", spec.family).stated("OFFERS"):
        return None
    return snapshot(spec.checkpoint or "", spec.revision) if is_hub(spec) else Path(spec.checkpoint or "")


def folder(repository: str, revision: str | None, *, code: bool = False) -> Path:
    """The snapshot of a model in the hub's cache; fetched where it is not there, unless ``HF_HUB_OFFLINE`` is set."""
    if found := snapshot(repository, revision):
        return found
    model(repository, revision, code=code)
    found = snapshot(repository, revision)
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
    before = snapshot(repository, revision)
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


def snapshot(repository: str, revision: str | None) -> Path | None:
    """A model's snapshot in the hub's cache where it holds safetensors."""
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}")
    named = root / "refs" / (revision or "main")
    found = root / "snapshots" / (named.read_text().strip() if named.is_file() else revision or "main")
    return found if any(found.rglob("*.safetensors")) else None


def _files(snapshot: Path) -> set[Path]:
    return {path for path in snapshot.rglob("*") if path.is_file()}
