"""Items of every kind: selecting, joining, hashing, keeping."""

from pathlib import Path

import numpy as np
import pytest

from bench import items
from bench.items import Columns, Items, items_hash, join_items, take

PICTURES = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
CAPTIONS = [f"picture {i}" for i in range(5)]
KINDS: dict[str, Items] = {
    "texts": CAPTIONS,
    "pictures": PICTURES,
    "pairs": Columns({"source": CAPTIONS, "target": CAPTIONS[::-1]}),
    "captioned": Columns({"caption": CAPTIONS, "images": PICTURES}),
}


def plain(found: Items) -> object:
    if isinstance(found, Columns):
        return {name: plain(found[name]) for name in found.names}
    return found.tolist() if isinstance(found, np.ndarray) else list(found)


def test_columns_select_by_name_by_place_and_by_slice() -> None:
    both = Columns({"caption": CAPTIONS, "images": PICTURES})
    assert len(both) == 5
    assert both.names == ["caption", "images"]
    assert both["caption"] is CAPTIONS
    assert both[3]["caption"] == "picture 3"
    assert (both[3]["images"] == PICTURES[3]).all()
    assert both[1:3]["caption"] == CAPTIONS[1:3]
    assert [item["caption"] for item in both] == CAPTIONS


def test_columns_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="one length"):
        Columns({"caption": CAPTIONS[1:], "images": PICTURES})


@pytest.mark.parametrize("kind", KINDS)
def test_take_keeps_the_container_and_columns_aligned(kind: str) -> None:
    found = take(KINDS[kind], np.array([4, 0]))
    assert type(found) is type(KINDS[kind])
    assert plain(found) == plain(join_items([KINDS[kind][4:5], KINDS[kind][0:1]]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_hash_tells_content_and_order(kind: str) -> None:
    some = KINDS[kind]
    assert items_hash(some) == items_hash(take(some, np.arange(5)))
    assert len({items_hash(take(some, np.array(order))) for order in ([0, 1], [1, 0], [0, 2], [0])}) == 4


def test_the_hash_tells_columns_apart() -> None:
    assert items_hash(Columns({"a": CAPTIONS})) != items_hash(Columns({"b": CAPTIONS}))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_found_again(kind: str, tmp_path: Path) -> None:
    items.write(KINDS[kind], tmp_path, "train")
    found = items.read(tmp_path, "train")
    assert items_hash(found) == items_hash(KINDS[kind])
    assert plain(found) == plain(KINDS[kind])
