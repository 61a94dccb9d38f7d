"""Memory that runs out, through the real runner.

The approach `cramped` takes all of the GPU's memory but a rest once the first step is over (on a CPU it lowers the
process's own limit). Where the rest holds some rows of the batch, the cell is cut into micro-batches and ends well;
where it does not hold one, the cell ends as a row `out_of_memory`, and the others are trained all the same.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.distributions import distribution
from tests.gpu import leftover, runs
from tests.gpu.box import Box

SHARE = 0.1


def measure(box: Box) -> None:
    distribution(box.scratch / "site", "transferbench_gpu", "[bench.approaches]\ncramped = tests.gpu.cramped:cramped\n")
    some_rows, no_row = (512, 0) if box.device == "cuda" else (60, 2)  # megabytes that are left
    rests = {"room for some rows": some_rows, "room for no row": no_row}
    notes = {name: box.scratch / f"{megabytes}.json" for name, megabytes in rests.items()}
    cramped = [
        {"name": name, "approach": "cramped", "options": {"megabytes": megabytes, "into": str(notes[name])}}
        for name, megabytes in rests.items()
    ]
    before = leftover.free(box)
    sys.path.insert(0, str(box.scratch / "site"))  # workers get this process's path
    try:
        declared = _declared(box, ["full_finetuning", *cramped])
        records, _ = runs.taken(box, "memory", declared, workers=1)
    finally:
        sys.path.remove(str(box.scratch / "site"))
    found = {record["asked"]["approach"]: record["happened"] for record in records}
    batch = declared["budget"]["batch_size"]
    for name in ("full_finetuning", *rests):
        happened, smallest = found[name], _smallest(notes.get(name))
        loss = happened["trials"][0]["validation_loss"] if happened["trials"] else None
        row = {"batch": batch, "smallest part [rows]": smallest, "validation loss": loss, "why": happened["reason"]}
        box.row("Cells", cell=name, ended=happened["status"], **row)
    whole, some, none = (found[name] for name in ("full_finetuning", *rests))
    smallest = _smallest(notes["room for some rows"]) or 0
    box.must(
        "a batch that does not fit is cut, and the cell ends well", some["status"] == "ok" and 0 < smallest < batch
    )
    losses = [one["trials"][0]["validation_loss"] if one["trials"] else float("nan") for one in (whole, some)]
    off = abs(losses[0] - losses[1]) / abs(losses[0])
    box.must("it learns what the whole batch teaches", off < 0.01, f"validation losses {off:.2g} apart")
    box.must("where no row fits, it is out_of_memory", none["status"] == "out_of_memory", none["status"])
    leftover.check(box, before)


def _smallest(note: Path | None) -> int | None:
    """Rows of the smallest part of a batch that gradients were taken of."""
    return min(json.loads(note.read_text()), default=None) if note and note.exists() else None


def _declared(box: Box, approaches: list[Any]) -> dict[str, Any]:
    """A model whose rows take some hundred megabytes each while gradients are taken; on a CPU a tenth of that."""
    on_gpu = box.device == "cuda"
    context, words, width = (1024, 4096, 256) if on_gpu else (512, 2048, 64)
    texts = box.scratch / "texts"
    texts.mkdir()
    for number in range(24):
        hexadecimal = [f"{(number * 7919 + place * place) % 9973:x}" for place in range(context)]
        (texts / f"{number}.txt").write_text(" ".join(hexadecimal))
    sizes = {"model_type": "gpt2", "n_layer": 2, "n_embd": width, "n_head": 4}
    sizes |= {"n_positions": context, "vocab_size": words}
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}  # masks depend on how a batch is cut
    domain = {"text_files": {"path": str(texts)}}
    batch = 16 if on_gpu else 4
    recipe = {"architecture": sizes | still, "source": domain, "steps": 1, "batch_size": 1}
    options = {"context": context, "max_new_tokens": 2}
    return {
        "models": {"gpt2": {"family": "causal_lm", "recipe": recipe, "options": options}},
        "datasets": [domain],
        "approaches": approaches,
        "data_sizes": [8],
        "seeds": [0],
        "budget": {"steps": 4 if on_gpu else 2, "batch_size": batch, "validations": 1, "validation_rows": 2},
        "evaluation": {"samples": 2, "batch_size": 1},
        "metrics": ["cost"],
    }
