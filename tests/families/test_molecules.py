"""Molecules as rows of atoms and back, their likelihood, and models on disk."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from bench import plugins
from bench.errors import CheckpointError
from bench.families._smiles import atomwise
from bench.families.molecules import Molecules
from tests.models import same, saved, weights, whole
from tests.small.molecules import OPTIONS, data, model, source

STRANGE = ["C[Se]C", "[13CH3-]", "F[Si](F)(F)F", "C[C@@H](N)C(=O)O", "C%12CCC%12", "[Na+].[Cl-]", "F/C=C\\Br", ""]
END = 0


def pieces(smiles: str) -> list[str]:
    tokenizer = atomwise(source(), 200)
    found: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(smiles, add_special_tokens=False)["input_ids"])
    return found


@pytest.mark.parametrize(
    ("smiles", "atoms"),
    [
        ("CCl", ["C", "Cl"]),
        ("Cc1ccc[nH]1", ["C", "c", "1", "c", "c", "c", "[nH]", "1"]),
        ("CBr", ["C", "B", "r"]),
        ("[Cl-]", ["[", "Cl", "-", "]"]),
    ],
)
def test_known_atoms_are_tokens_and_others_fall_into_pieces(smiles: str, atoms: list[str]) -> None:
    assert pieces(smiles) == atoms


def test_decoding_undoes_encoding_of_atoms_the_source_never_had() -> None:
    small = model()
    items = [*STRANGE, *source().train, *data().train]
    assert small.decode(small.encode(items)) == items


def test_the_vocabulary_holds_the_most_frequent_atoms() -> None:
    known = atomwise(source(), 96).get_vocab()
    assert len(known) == 96
    assert "[nH]" in known or "Cl" in known
    with pytest.raises(CheckpointError, match="vocab_size: 50 is too small; use 95 or more"):
        atomwise(source(), 50)


def test_likelihood_counts_every_atom_and_the_end_once() -> None:
    small, smiles = model(), "CCS"
    ids = small.encode([smiles])["input_ids"][0, :5].tolist()
    with torch.no_grad():
        logits = small.network(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        nats, count = small.nll(whole(small, [smiles]))
    assert ids[0] == ids[4] == END
    assert count.tolist() == [4]
    assert float(nats) == pytest.approx(-sum(float(logits[i, ids[i + 1]]) for i in range(4)), rel=1e-6)


def test_likelihood_and_loss_are_of_the_same_predictions() -> None:
    small, items = model(), [*data().test, "C" * 30]
    batch = whole(small, items)
    with torch.no_grad():
        nats, count = small.nll(batch)
        loss = float(small.loss(batch, small(batch)))
    assert int(count.sum()) == small.units(batch) == sum(len(smiles) + 1 for smiles in items)
    assert loss == pytest.approx(float(nats.sum()) / int(count.sum()), rel=1e-5)


def test_saving_and_loading_change_nothing(tmp_path: Path) -> None:
    small = model()
    folder = saved(small, tmp_path)
    again = Molecules.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **OPTIONS)
    assert same(weights(small), weights(again))
    assert again.encoding() == small.encoding()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for smiles in [*STRANGE, *source().train]:
        assert tokenizer(smiles)["input_ids"] == small.tokenizer(smiles)["input_ids"]


def test_any_causal_language_model_with_its_own_tokenizer_will_do(tmp_path: Path) -> None:
    from tests.models import language_model

    folder = saved(language_model(), tmp_path)
    read = Molecules.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **OPTIONS)
    assert read.decode(read.encode(STRANGE)) == STRANGE


def test_samples_are_seeded_texts_no_longer_than_asked() -> None:
    small = model()
    batch = whole(small, data().test)
    first, again, other = (small.decode(small.sample(batch, torch.Generator().manual_seed(seed))) for seed in (0, 0, 1))
    assert first == again != other
    assert all(len(small.tokenizer(smiles)["input_ids"]) <= 8 for smiles in first)


def test_it_is_found_by_name_and_names_its_options() -> None:
    plugin = plugins.find("families", "molecules")
    assert plugin.constants["MODALITY"] == "molecule"
    assert set(plugin.check({})) == {"context", "max_new_tokens", "temperature", "top_p", "prompt"}
