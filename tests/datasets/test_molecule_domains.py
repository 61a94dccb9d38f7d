"""The molecule domains: disjoint by scaffold and by what they are, and a user's own file."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem, RDConfig
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from bench import plugins
from bench.dataset import SPLITS, Dataset, load
from bench.datasets.smiles_file import content, smiles_file
from bench.errors import DataError, PluginError

NAMES = ("nci_molecules", "nci_polycyclics", "nci_organosulfur")
BENZENE = "c1ccccc1"
ALKANES = [f"{'C' * length}O" for length in range(1, 31)]


@pytest.fixture(scope="module")
def domains() -> dict[str, Dataset]:
    return {name: plugins.find("datasets", name).load()() for name in NAMES}


def everything(data: Dataset) -> list[str]:
    return [smiles for split in SPLITS for smiles in getattr(data, split)]


def scaffolds(smiles: list[str]) -> set[str]:
    return {MurckoScaffoldSmiles(one) for one in smiles}


def alike(smiles: list[str], scaffold: str) -> list[str]:
    return [one for one in smiles if MurckoScaffoldSmiles(one) == scaffold]


def skeleton(smiles: str) -> str:
    """The molecule with carbon atoms and single bonds alone."""
    molecule = Chem.RWMol(Chem.MolFromSmiles(smiles))
    for atom in molecule.GetAtoms():
        atom.SetAtomicNum(6)
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        atom.SetNumExplicitHs(0)
        atom.SetNoImplicit(False)
    for bond in molecule.GetBonds():
        bond.SetBondType(Chem.BondType.SINGLE)
        bond.SetIsAromatic(False)
        bond.SetStereo(Chem.BondStereo.STEREONONE)
    return Chem.MolToSmiles(molecule)


@pytest.mark.parametrize("name", NAMES)
def test_enough_canonical_molecules_each_once(name: str, domains: dict[str, Dataset]) -> None:
    data = domains[name]
    assert (data.name, data.modality, data.skipped) == (name, "molecule", 8)
    assert len(data.train) >= 400
    assert min(len(data.validation), len(data.test)) >= 80
    found = everything(data)
    assert len(set(found)) == len(found)
    assert [Chem.CanonSmiles(smiles) for smiles in found] == found
    assert max(map(len, found)) <= 64
    assert not any("." in smiles for smiles in found)


@pytest.mark.parametrize("name", NAMES)
def test_no_scaffold_is_in_two_splits(name: str, domains: dict[str, Dataset]) -> None:
    """But for those that a split has no room for; there no skeleton is."""
    found = [scaffolds(getattr(domains[name], split)) - {"", BENZENE} for split in SPLITS]
    assert sum(map(len, found)) == len(set.union(*found)) > 100
    for scaffold in ("", BENZENE):
        shared = [{skeleton(one) for one in alike(getattr(domains[name], split), scaffold)} for split in SPLITS]
        assert sum(map(len, shared)) == len(set.union(*shared))


@pytest.mark.parametrize(("name", "without"), [("nci_molecules", 891), ("nci_organosulfur", 177)])
def test_what_is_common_is_in_each_split_in_like_share(name: str, without: int, domains: dict[str, Dataset]) -> None:
    """Molecules without a ring used to train, all of them: 891 of the source's 2,504, and none of 313 held out."""
    data = domains[name]
    assert len(alike(everything(data), "")) == without
    for scaffold in ("", BENZENE):
        share = len(alike(everything(data), scaffold)) / len(everything(data))
        assert share > 0.2
        for split in SPLITS:
            assert len(alike(getattr(data, split), scaffold)) / len(getattr(data, split)) == pytest.approx(
                share, rel=0.1
            )


@pytest.mark.parametrize("name", NAMES)
def test_sub_domains_have_enough_to_learn_from(name: str, domains: dict[str, Dataset]) -> None:
    groups = domains[name].groups
    assert groups is not None
    sizes = np.bincount(groups[groups >= 0])
    assert len(sizes) >= 5
    assert sizes.min() >= 32
    assert sizes.sum() > len(groups) / 2


def test_targets_are_another_region_of_chemistry(domains: dict[str, Dataset]) -> None:
    source, cyclic, sulfur = ([Chem.MolFromSmiles(one) for one in everything(domains[name])] for name in NAMES)
    element = Chem.MolFromSmarts("[#16]")
    assert all(molecule.HasSubstructMatch(element) for molecule in sulfur)
    assert not any(molecule.HasSubstructMatch(element) for molecule in [*source, *cyclic])
    assert max(len(list(Chem.GetSSSR(molecule))) for molecule in source) == 2
    assert min(len(list(Chem.GetSSSR(molecule))) for molecule in cyclic) == 3
    assert not scaffolds(everything(domains[NAMES[0]])) & scaffolds(everything(domains[NAMES[1]]))


def test_building_again_gives_the_same(domains: dict[str, Dataset]) -> None:
    again = plugins.find("datasets", "nci_organosulfur").load()()
    assert again.fingerprint == domains["nci_organosulfur"].fingerprint


def test_an_rdkit_without_its_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RDConfig, "RDDataDir", str(tmp_path))
    with pytest.raises(DataError, match=r"dataset nci_molecules: this RDKit lacks .*first_5K.smi; install"):
        plugins.find("datasets", "nci_molecules").load()()


# A user's own file ----------------------------------------------------------------------------------------------------


def written(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_lines_that_are_no_molecule_are_skipped_and_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = ["OCC  ethanol", "CCO same", "", "no molecule", "C(", "CN(C)(C)(C)C", *ALKANES]
    data = smiles_file(path=written(tmp_path / "mine.smi", lines), split="random")
    assert sorted(everything(data)) == sorted(ALKANES)
    assert data.skipped == 3
    assert (len(data.validation), len(data.test)) == (3, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("tsv", "\t"), ("CSV", ",")])
def test_a_column_of_a_table(suffix: str, mark: str, tmp_path: Path) -> None:
    rows = [mark.join(["name", "structure"]), *(f"{mark}".join(["x", smiles]) for smiles in ALKANES), f"y{mark}Xx", "z"]
    data = smiles_file(path=written(tmp_path / f"mine.{suffix}", rows), column="structure", split="random")
    assert sorted(everything(data)) == sorted(ALKANES)
    assert data.skipped == 2


def test_scaffolds_are_held_out_whole(tmp_path: Path) -> None:
    cyclic = [f"{'C' * i}C1CCC{'C' * j}C1" for i in range(8) for j in range(8)]
    data = smiles_file(path=written(tmp_path / "mine.smi", [*ALKANES, *cyclic]), held_out=0.2)
    found = [scaffolds(getattr(data, split)) - {""} for split in SPLITS]
    assert sum(map(len, found)) == len(set.union(*found)) == 8
    assert [len(set(ALKANES) & set(getattr(data, split))) for split in SPLITS] == [18, 6, 6]


def test_a_scaffold_that_all_share_is_divided_by_skeleton(tmp_path: Path) -> None:
    """Rings with chains of one length stay together, whatever atoms the chains end with."""
    lines = [f"{end}{'C' * length}c1ccccc1" for length in range(20) for end in "CNO"]
    data = smiles_file(path=written(tmp_path / "mine.smi", lines))
    assert [len(getattr(data, split)) for split in SPLITS] == [48, 6, 6]
    found = [{skeleton(one) for one in getattr(data, split)} for split in SPLITS]
    assert [len(lengths) for lengths in found] == [16, 2, 2]
    assert len(set.union(*found)) == 20


def test_atoms_of_more_bonds_than_carbon_has_are_no_matter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = ["FS(F)(F)(F)(F)F", "CP(F)(F)(F)F", *ALKANES]
    data = smiles_file(path=written(tmp_path / "mine.smi", lines))
    assert len(everything(data)) == 32
    assert data.skipped == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("mine.csv", ["smiles,name", "CC,x"], "no column 'structure'; name one in the option column: smiles, name"),
        ("mine.csv", [""], "it has no column 'structure'; name one in the option column: it has none"),
        ("mine.smi", [""], "it holds no molecule; give it one SMILES per line, or name its column"),
        ("mine.smi", ["%%%", "hello"], "(the first: number 1: '%%%' is no molecule); give it one SMILES per line"),
    ],
)
def test_a_file_of_no_use_is_one_clear_line(name: str, lines: list[str], said: str, tmp_path: Path) -> None:
    path = written(tmp_path / name, lines)
    with pytest.raises(DataError) as error:
        smiles_file(path=path, column="structure")
    assert said in str(error.value)
    assert str(error.value).startswith(f"dataset smiles_file: {path}: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset smiles_file: .*nowhere.smi.* is not there"):
        smiles_file(path=str(tmp_path / "nowhere.smi"))
    with pytest.raises(DataError, match=r"dataset smiles_file: .*Is a directory.*; name a file you may read"):
        smiles_file(path=str(tmp_path))


@pytest.mark.parametrize("make", [smiles_file, content])
def test_a_pipe_is_not_waited_for(make: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.smi")
    with pytest.raises(DataError, match=r"mine.smi' is neither a file nor a folder; name one that is"):
        make(path=str(tmp_path / "mine.smi"))


def test_bytes_that_are_no_text_are_no_molecules(tmp_path: Path) -> None:
    (tmp_path / "mine.smi").write_bytes(b"\xff\x00C\n" + "\n".join(ALKANES).encode())
    assert smiles_file(path=str(tmp_path / "mine.smi"), split="random").skipped == 1


@pytest.mark.parametrize("stored", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["mine.smi", "mine.csv"])
def test_utf_16_without_a_mark_is_told_its_option(name: str, stored: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("\n".join(["smiles", *ALKANES]).encode(stored))
    with pytest.raises(DataError, match=r"UTF-16 without a byte order mark \(encoding: utf-16-le, or utf-16-be\)"):
        smiles_file(path=str(tmp_path / name))
    with pytest.raises(DataError, match=r"for want of a byte order mark; .*\(utf-16-le, or utf-16-be\)"):
        smiles_file(path=str(tmp_path / name), encoding="utf-16")
    assert len(everything(smiles_file(path=str(tmp_path / name), encoding=stored, split="random"))) == 30


def test_rows_of_a_table_are_damaged_as_those_of_csv_are(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", ["", " ", "smiles,name", *(f"{one},x" for one in ALKANES), "CN,x,more"])
    data = smiles_file(path=path, split="random")
    assert (sorted(everything(data)), data.skipped) == (sorted(ALKANES), 1)
    assert data.first == "number 31: more fields than the header names"
    assert len(content(path=path)) == 16
    path = written(
        tmp_path / "mine.csv", ["smiles,name", *(f"{one},x" for one in ALKANES), '"CN,x', "CCN,x", "", "CCCN,x"]
    )
    assert smiles_file(path=path, split="random").left_out("mine") == [
        "3 of 33 lines of mine, the first: number 31: lines 32-35 swallowed by an unclosed quote"
    ]


def test_what_is_no_molecule_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.smi", [*ALKANES, "Xx", "OCC", "%%"])
    assert smiles_file(path=path, split="random").left_out("mine") == [
        "2 of 33 lines of mine, the first: number 31: 'Xx' is no molecule",
        "mine: 1 molecule equal to another, which counts once",
    ]


@pytest.mark.parametrize("stored", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_table_of_another_kind(stored: str, tmp_path: Path) -> None:
    table = "\n".join(["Größe;smiles", *(f"“ö”;{smiles}" for smiles in ALKANES)])
    (tmp_path / "mine.csv.gz").write_bytes(gzip.compress(table.encode(stored)))
    options: dict[str, Any] = {"path": str(tmp_path / "mine.csv.gz")}
    options |= {"encoding": "cp1252"} if stored == "cp1252" else {}
    for make in (smiles_file, content):
        with pytest.raises(DataError, match="no column 'smiles'; its header is one column with \";\" in it: say delim"):
            make(**options)
    data = smiles_file(split="random", delimiter=";", **options)
    assert (sorted(everything(data)), data.skipped) == (sorted(ALKANES), 0)


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", ["smiles,smiles", *(f"{smiles},C" for smiles in ALKANES)])
    with pytest.raises(DataError, match="it has 2 columns 'smiles'; give each a name of its own"):
        smiles_file(path=path)


def test_a_file_of_another_kind_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"PK\x03\x04")
    with pytest.raises(
        DataError, match=r"mine.csv: it cannot be read \(it is a zip archive, .*; save it as plain text"
    ):
        smiles_file(path=str(tmp_path / "mine.csv"))


def test_too_few_for_three_splits_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split is empty; give it more items, or the option split: random"):
        smiles_file(path=written(tmp_path / "mine.smi", ["CCO", "CCN"]))


@pytest.mark.parametrize("held_out", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("split", ["random", "scaffold"])
def test_a_share_that_leaves_a_split_empty_is_named(split: Any, held_out: float, tmp_path: Path) -> None:
    for make in (smiles_file, content):
        with pytest.raises(PluginError, match=rf"option 'held_out': {held_out} will not do; it should be above 0"):
            make(path=written(tmp_path / "mine.smi", ALKANES), split=split, held_out=held_out)


def test_a_changed_file_is_another_dataset(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.smi", ALKANES)
    options = {"path": path, "split": "random"}
    before, hashed = load("smiles_file", options), content(path=path)
    assert load("smiles_file", options).fingerprint == before.fingerprint
    written(tmp_path / "mine.smi", [*ALKANES, "CCN"])
    assert content(path=path) != hashed
    assert load("smiles_file", options).fingerprint != before.fingerprint
