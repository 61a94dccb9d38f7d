"""What is wrong with a model, as far as files and numbers tell: without torch, and before anything is read or built.

``bench plan`` says it, and a run when it prepares the model.
"""

from pathlib import Path

from bench.checkpoints import extent, kinds, tensor_files, vocabulary
from bench.errors import Unusable
from bench.suite.cell import ModelSpec


def check(spec: ModelSpec, checkpoint: Path | None = None) -> None:
    """Raise :class:`bench.errors.Unusable` where a model will certainly not do.

    Args:
        spec: of the model.
        checkpoint: the folder that it is loaded from; None for a recipe.
    """
    if spec.recipe:
        extent.check(spec.recipe.architecture)
    if checkpoint is not None:
        try:
            _look(spec, checkpoint)
        except OSError as error:
            said = f"it cannot be read ({error.strerror or error})"
            raise Unusable(said, "see that it is there, and that you may read it") from error


def _look(spec: ModelSpec, checkpoint: Path) -> None:
    stated = kinds.stated(spec.family)
    if not stated:  # a family of somebody else's: whatever it reads is to be whole
        for path in sorted(checkpoint.rglob("*.safetensors")):
            tensor_files.whole(path)
        return
    tensor_files.check_any(checkpoint)
    kinds.check(checkpoint, spec.family, trusted=spec.trust_remote_code)
    count = 0
    for name in stated["networks"]:
        folder = kinds.folder(checkpoint, name)
        its = f"its {name}'s" if name else "its"
        extent.check(kinds.read(folder / kinds.CONFIG), f"{its} {kinds.CONFIG}: ")
        count += tensor_files.check(folder)
    extent.fit(count)
    for name in stated.get("parts", {}):
        if about := kinds.about(checkpoint, name):
            extent.check(kinds.read(about), f"its {name}'s {about.name}: ")
    if "tokenizer" in stated:
        reads, knows = (kinds.folder(checkpoint, name) for name in stated["tokenizer"])
        vocabulary.check(reads, kinds.read(knows / kinds.CONFIG))


def fault(spec: ModelSpec, checkpoint: Path | None = None) -> str:
    """What :func:`check` says, as one line; empty where it says nothing."""
    try:
        check(spec, checkpoint)
    except Unusable as reason:
        return f"{reason.problem}; {reason.remedy}"
    return ""
