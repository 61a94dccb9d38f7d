"""Approaches put together at random: whatever is not refused at plan time ends well, or says why it does not apply."""

import random
from pathlib import Path

import pytest

from bench import composition, plugins
from tests import tiny
from tests.plans import IMAGES

SEEDS = (0, 1)
COUNT = 10


def drawn(seed: int) -> list[str]:
    """Ten compositions of two to four approaches that train, all different and none contradictory."""
    generator, found = random.Random(seed), list[str]()
    known = [plugins.find("approaches", name) for name in plugins.names("approaches")]
    training = [p for p in known if p.constants.get("TRAINS", True) and p.module.startswith("bench.")]
    while len(found) < COUNT:
        parts = generator.sample(training, generator.randint(2, 4))
        written = " + ".join(part.name for part in parts)
        if written not in found and composition.contradiction(parts, written) is None:
            found.append(written)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_random_compositions(seed: int, tmp_path: Path) -> None:
    compositions = drawn(seed)
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
