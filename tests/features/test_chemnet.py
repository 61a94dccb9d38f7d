"""ChemNet: the features that fcd_torch has, and its distance."""

import inspect

import fcd_torch
import numpy as np
import pytest
import torch
from fcd_torch.utils import SmilesDataset
from scipy import linalg

from bench import plugins
from bench.errors import DataError
from bench.features.chemnet import Chemnet
from bench.metrics._distributions import frechet_distance


@pytest.fixture(scope="module")
def space() -> Chemnet:
    return Chemnet()


def domain(name: str, count: int) -> list[str]:
    found: list[str] = plugins.find("datasets", name).load()().train[:count]
    return found


def test_features_are_those_of_fcd_torch(space: Chemnet) -> None:
    drawn = [*domain("nci_molecules", 70), "OCC", "C" * 500]
    reference = fcd_torch.FCD(device="cpu")
    with torch.no_grad():
        read = torch.stack([torch.from_numpy(row).float() for row in SmilesDataset(drawn)])
        expected = reference.model(read.transpose(1, 2)).numpy()
    features = space(drawn)
    assert features.shape == (72, 512)
    assert features.dtype == np.float32
    assert np.allclose(features, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")
def test_our_frechet_distance_is_that_of_fcd_torch(space: Chemnet) -> None:
    """On some of the features, so that no covariance is singular and its matrix square root keeps its digits."""
    if "disp" not in inspect.signature(linalg.sqrtm).parameters:
        pytest.skip("fcd_torch's distance needs an older scipy; ours does not")
    one, other = (space(domain(f"nci_{name}", 120))[:, ::10].astype(float) for name in ("polycyclics", "organosulfur"))
    expected = fcd_torch.calculate_frechet_distance(one.mean(0), np.cov(one.T), other.mean(0), np.cov(other.T))
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)


def test_a_molecule_is_read_in_its_canonical_form(space: Chemnet) -> None:
    assert np.array_equal(space(["OCC"]), space(["CCO"]))


def test_features_do_not_depend_on_what_else_is_there(space: Chemnet) -> None:
    drawn = domain("nci_molecules", 70)
    assert np.allclose(space(drawn)[69], space(drawn[69:])[0], atol=1e-6)


def test_what_is_no_molecule_is_refused(space: Chemnet, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"feature space chemnet: 'C\(' is no molecule; leave it out"):
        space(["CC", "C("])
    assert capfd.readouterr().err == ""


def test_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    Chemnet()
    assert torch.equal(torch.get_rng_state(), before)
