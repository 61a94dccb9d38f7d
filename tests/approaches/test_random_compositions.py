"""Approaches put together at random: whatever is not refused at plan time ends well, or says why it does not apply."""

import random
from pathlib import Path

from bench import plugins
from bench.suite import composition
from tests import tiny
from tests.models import EXEMPLARS
from tests.plans import IMAGES

COUNT = 6


def drawn(seed: int) -> list[str]:
    """Compositions of two to four approaches that train, all different and none contradictory.

    Those that belong to other families altogether, such as textual inversion, are left out.
    """
    generator, found = random.Random(seed), list[str]()
    known = [plugins.find("approaches", name) for name in plugins.names("approaches")]
    families = [plugins.find("families", name) for name in EXEMPLARS]
    training = [
        approach
        for approach in known
        if approach.constants.get("TRAINS", True)
        and approach.module.startswith("bench.")
        and not all(composition.inapplicable([approach], family, also=("source",)) for family in families)
    ]
    while len(found) < COUNT:
        parts = generator.sample(training, generator.randint(2, 4))
        written = " + ".join(part.name for part in parts)
        if written not in found and composition.contradiction(parts, written) is None:
            found.append(written)
    return found


def test_random_compositions(tmp_path: Path) -> None:
    compositions = drawn(0)
    unet = {"block_out_channels": [8, 8], "norm_num_groups": 4, "layers_per_block": 2}
    unet |= {"down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]}
    images = IMAGES | {"recipe": IMAGES["recipe"] | {"architecture": unet}, "options": {"inference_steps": 2}}
    suite = tiny.write(
        tmp_path,
        models=tiny.SUITE["models"] | {"images": images},
        datasets=["python_reference", "handwritten_digits"],
        approaches=compositions,
        data_sizes=[6],
        budget={"steps": 8, "batch_size": 4, "validations": 1, "validation_rows": 8},
        metrics=["loss", "cost"],
    )
    found = tiny.records(tiny.run(suite))
    ends = {
        (record["asked"]["family"], record["asked"]["approach"]): (
            record["happened"]["status"],
            record["happened"]["reason"],
        )
        for record in found.values()
        if not record["asked"]["control"]
    }
    assert len(ends) == 2 * COUNT
    bad = {key: end for key, end in ends.items() if end[0] not in ("ok", "not_applicable")}
    assert bad == {}
    assert all(reason for status, reason in ends.values() if status != "ok")
    assert sum(status == "ok" for status, _ in ends.values()) >= COUNT
    spent = [r["happened"]["training"]["steps"] for r in found.values() if r["happened"]["trials"]]
    assert set(spent) == {8}, "whatever is put together has the same budget"
