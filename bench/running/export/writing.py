"""A trained model put together, written, loaded again and compared. Runs in a process of its own."""

import importlib
import os
import sys
import threading
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import torch
from peft import PeftModel
from torch import Tensor

from bench import dataset, plugins
from bench.checkpoints import hub
from bench.dataset import Items
from bench.errors import BenchError, CheckpointError, ResultsError
from bench.model import Model, Reader
from bench.results import disk
from bench.running.ends import said
from bench.running.export import adapters
from bench.running.export.adapters import Unfit
from bench.suite.cell import Cell, ModelSpec
from bench.training import pretrained, tuning
from bench.transfer import Transfer, load

_ITEMS, _ROWS = 8, 2  # of the validation split, and the shortest rows of these, that outputs are compared on
_SEED = 20_000  # of the noise in these
_APART = 1e-4  # of the largest output, that outputs may differ by where weights were merged
BASE = "base"  # folder of the pretrained model beside an adapter, where that was made here


def write(cell: Cell, chosen: dict[str, Any], weights: Path, into: Path, merged: bool, known: str) -> dict[str, Any]:
    """Write a trained cell into an empty folder.

    Args:
        cell: what was asked.
        chosen: the values of the trial that was best.
        weights: the file of what it adds to the pretrained model.
        into: the folder.
        merged: whole weights, also where the approach is an adapter that could stand by itself.
        known: fingerprint of the target when it was trained; empty where that is not known.

    Returns:
        ``kind`` (``adapter``, ``merged`` or ``whole``), ``reader`` (class of a library, or nothing), ``part``,
        ``tokenizer``, ``method`` (of PEFT), ``base``, ``difference`` (largest, of outputs, as a share of the largest),
        ``rows`` they were compared on, ``loss`` on these, ``bytes``, ``parameters``, ``instead`` (why it is no adapter,
        where it might have been one) and ``warning`` (of what its library does not do right with it).

    Raises:
        BenchError: in one line what cannot be exported, why, and what can be done.
    """
    # a lock between processes would have to be taken down when this one ends
    sys.modules["tqdm"].tqdm.set_lock(threading.RLock())
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    transfer, where = _put_together(cell, chosen, weights, known), f"{cell.approach} on {cell.model_name}"
    return written(transfer, cell.model, where, into, merged=merged)


def written(transfer: Transfer, spec: ModelSpec, where: str, into: Path, *, merged: bool) -> dict[str, Any]:
    """:func:`write` of a transfer that has been put together; ``where`` names it in messages."""
    items = transfer.data.validation[:_ITEMS]
    if transfer.beside:
        _refuse(where, "another network runs beside it whenever it does, which no format holds")
    told, loss, rows = _outputs(transfer.model, items)
    reader, instead, made = transfer.model.read_by, "", None
    with disk.clear_errors(into):
        if transfer.adapters and not merged and reader and reader.tokenizer:
            try:
                made = _adapter(transfer, spec, reader, into, told, items)
            except Unfit as reason:
                instead = str(reason)
                _empty(into)
        made = made or _whole(transfer, spec, where, into, told, items, instead)
        size = sum(_settled(path) for path in into.rglob("*") if path.is_file())
    nothing = {"reader": "", "part": "", "tokenizer": "", "method": "", "base": "", "warning": ""}
    return nothing | {"instead": instead, "loss": loss, "rows": rows, "bytes": size} | made


def _put_together(cell: Cell, chosen: dict[str, Any], weights: Path, known: str) -> Transfer:
    data = dataset.load(cell.target.plugin, cell.target.options)
    if known and data.fingerprint != known:
        raise ResultsError(
            f"dataset {cell.target.name}: holds something else than when the cell was trained; export where that is"
        )
    transfer = tuning.set_up(cell, chosen, data)
    try:
        load(transfer.stored(), weights)
    except Exception as error:
        said = "not the weights of this cell as it is set up now"
        raise ResultsError(f"{weights}: {said} ({error!s:.200}); export with the version that trained it") from error
    transfer.model.eval()
    return transfer


@torch.no_grad()
def _outputs(model: Model, items: Items) -> tuple[Tensor, float, int]:
    """What a model says of some items, its loss on them, and how many rows they are; the noise is always the same."""
    rows = model.encode(items)
    shortest = rows["length"].argsort(stable=True) if "length" in rows else torch.arange(len(rows["item"]))
    batch = model.collate(rows, shortest[:_ROWS])
    batch = model.draw(batch, torch.Generator().manual_seed(_SEED))
    outputs = model(batch)
    return outputs.float().cpu(), float(model.loss(batch, outputs)), len(batch["item"])


def _difference(told: Tensor, again: Tensor) -> float:
    """Largest, as a share of the largest output; infinite where they cannot be compared."""
    if told.shape != again.shape or not bool(again.isfinite().all()):
        return float("inf")
    return float((told - again).abs().max() / told.abs().max().clamp(min=1e-12)) if told.numel() else 0.0


def _adapter(
    transfer: Transfer, spec: ModelSpec, reader: Reader, into: Path, told: Tensor, items: Items
) -> dict[str, Any]:
    """PEFT's own format; :class:`Unfit` where it would not hold all, or PEFT alone does not say the same with it."""
    model: Any = transfer.model
    if spec.recipe:
        base, folder = BASE, into / BASE
    else:
        base, folder = str(spec.checkpoint), hub.local(spec) or Path(str(spec.checkpoint))
    method, parameters = adapters.write(transfer, into, base, spec.revision, reader.name)
    if spec.recipe:
        pretrained.load(spec).export(folder)
    model.tokenizer.save_pretrained(into)
    kept = model.network
    try:
        network = _class(reader.name).from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=spec.trust_remote_code
        )
        model.network = adapters.load(network.to(model.device), into)
        difference = _difference(told, _outputs(model, items)[0])
        warning = _warning(kept, model.network)
    except Exception as error:
        raise Unfit(f"PEFT alone cannot load it: {said(error)}") from error
    finally:
        model.network = kept
    if difference > _APART:
        raise Unfit(f"loaded by PEFT alone it says something else (by {difference:.2g} of the largest output)")
    facts = {"kind": "adapter", "method": method, "base": base, "difference": difference, "parameters": parameters}
    return facts | _read_by(reader, model, into, spec) | {"warning": warning}


def _warning(ours: Any, loaded: Any) -> str:
    """Where learned vectors stand before a row, writing is another computation than reading, and versions of PEFT and
    transformers that do not fit each other do it wrongly: what is in the folder is right all the same."""
    if not isinstance(ours, PeftModel):
        return ""
    try:
        right = _difference(adapters.generated(ours), adapters.generated(loaded)) <= _APART
    except Exception:  # such as for want of positions
        right = False
    pair = f"peft {version('peft')} and transformers {version('transformers')}"
    return "" if right else f"{pair} read texts with it rightly, but their generate does not write with it; try others"


def _whole(
    transfer: Transfer, spec: ModelSpec, where: str, into: Path, told: Tensor, items: Items, instead: str
) -> dict[str, Any]:
    """All weights, those of adapters merged; compared with what the family's ``from_checkpoint`` makes of them."""
    model, reader, had = transfer.model, transfer.model.read_by, bool(transfer.adapters)
    holder = reader.name.partition(".")[0] if reader else "the family's own format"
    try:
        adapters.merge(transfer)
    except Unfit as reason:
        _refuse(where, f"{instead}; {reason}" if instead and instead != str(reason) else str(reason))
    if added := transfer.added():
        _refuse(where, f"it puts weights of its own into the network ({added[0]}), which {holder} has no place for")
    parameters = sum(weight.numel() for weight in model.parameters())
    model.export(into)
    family = plugins.find("families", spec.family).load()
    try:
        again: Model = family.from_checkpoint(
            str(into), revision=None, trust_remote_code=spec.trust_remote_code, **spec.options
        )
        difference = _difference(told, _outputs(again.to(model.device).eval(), items)[0])
    except CheckpointError as error:
        _refuse(where, f"what was written cannot be loaded: {error}")
    if difference > _APART:
        apart = f"by {difference:.2g} of the largest output" if difference < float("inf") else "of another shape"
        _refuse(where, f"what was written says something else when it is loaded ({apart})")
    facts = {"kind": "merged" if had else "whole", "difference": difference, "parameters": parameters}
    return facts | (_read_by(reader, again, into, spec) if reader else {})


def _read_by(reader: Reader, model: Any, into: Path, spec: ModelSpec) -> dict[str, Any]:
    """What loads it, and the class that reads the tokenizer beside it as it was."""
    told = {"reader": reader.name, "part": reader.part}
    if not reader.tokenizer:
        return told
    for name in ("AutoTokenizer", "PreTrainedTokenizerFast"):
        with suppress(Exception):  # the next one may
            found = _class(f"transformers.{name}").from_pretrained(into, trust_remote_code=spec.trust_remote_code)
            if _does(found) == _does(model.tokenizer):
                return told | {"tokenizer": f"transformers.{name}"}
    raise ResultsError(
        f"{type(model.tokenizer).__name__}: what was written reads texts in another way, so the model cannot be "
        "exported; take it from the run's folder weights with this package"
    )


def _does(tokenizer: Any) -> str:
    """All that a tokenizer does, as text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return str(backend.to_str() if backend else sorted(tokenizer.get_vocab().items()))


def _class(name: str) -> Any:
    library, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(library), kind)


def _settled(path: Path) -> int:
    """Size of a file that is on the disk from now on, whatever becomes of the power."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def _refuse(where: str, why: str) -> NoReturn:
    instead = "its weights stay in the run's folder, which this package alone puts together again"
    raise BenchError(f"{where}: cannot be exported: {why}; {instead}")
