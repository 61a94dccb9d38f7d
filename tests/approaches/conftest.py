"""A checkpoint of every family, made once."""

import pytest

from bench.cell import ModelSpec
from tests.models import CONTEXT, model_of, saved

OPTIONS = {"causal_lm": {"context": CONTEXT, "max_new_tokens": 8}, "diffusion": {"inference_steps": 3}}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelSpec]:
    """Family to a tiny pretrained model on disk."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        family: ModelSpec(family=family, checkpoint=str(saved(model_of(family), folder / family)), options=options)
        for family, options in OPTIONS.items()
    }
