"""A user's tables: csv, jsonl and parquet, one column or two, and rows that hold no text."""

import csv
import gzip
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import plugins
from bench.dataset import SPLITS, Columns, Dataset
from bench.datasets import csv as csv_plugin
from bench.datasets import parquet as parquet_plugin
from bench.errors import DataError, PluginError

Row = dict[str, Any]


def as_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def as_jsonl(path: Path, rows: list[Row]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows))


def as_parquet(path: Path, rows: list[Row]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS: dict[str, Callable[[Path, list[Row]], None]] = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}
KINDS = list(WRITERS)


def rows(count: int = 20, **more: Any) -> list[Row]:
    return [{"text": f'A "text",\nnumber {n}', "label": str(n), "same": f"s{n // 2}", **more} for n in range(count)]


def load(kind: str, path: Path, columns: list[str], **options: Any) -> Dataset:
    data: Dataset = plugins.find("datasets", kind).load()(path=str(path), columns=columns, **options)
    return data


def every(data: Dataset) -> list[Any]:
    return [item for split in SPLITS for item in getattr(data, split)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_texts(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows())
    data = load(kind, tmp_path / "a", ["text"])
    assert (data.name, data.modality, data.skipped) == (kind, "text", 0)
    assert sorted(every(data)) == sorted(row["text"] for row in rows())
    assert [len(getattr(data, split)) for split in SPLITS] == [16, 2, 2]


def test_all_kinds_make_the_same_dataset(tmp_path: Path) -> None:
    for kind, write in WRITERS.items():
        write(tmp_path / kind, rows())
    assert len({load(kind, tmp_path / kind, ["text"]).fingerprint for kind in KINDS}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_stay_together_and_a_source_is_in_one_split(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows(60))
    data = load(kind, tmp_path / "a", ["same", "label"], modality="text_pair")
    assert data.modality == plugins.find("datasets", kind).modality({"modality": "text_pair"}) == "text_pair"
    assert isinstance(data.train, Columns)
    assert data.train.names == ["source", "target"]
    assert all(item["source"] == f"s{int(item['target']) // 2}" for item in every(data))
    sources = [set(getattr(data, split)["source"]) for split in SPLITS]
    assert [len(found) for found in sources] == [24, 3, 3]
    assert len(set.union(*sources)) == 30


@pytest.mark.parametrize("kind", KINDS)
def test_files_name_splits(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / f"train-00000-of-00002.{kind}", rows(10))
    WRITERS[kind](tmp_path / f"train-00001-of-00002.{kind}", [{"text": f"more {n}"} for n in range(10)])
    WRITERS[kind](tmp_path / f"test.{kind}", [{"text": "a test"}])
    data = load(kind, tmp_path, ["text"])
    assert data.test == ["a test"]
    assert [len(getattr(data, split)) for split in SPLITS] == [18, 2, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_hold_no_text_are_skipped_and_counted(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", [*rows(), {"text": None}, {"text": "  "}])
    assert load(kind, tmp_path / "a", ["text"]).skipped == 2


def test_rows_of_another_shape_are_too(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(b"text,label\n" + b"".join(b"text %d,x\n" % n for n in range(20)))
        file.write(b"too,many,fields\nGr\xf6\xdfe,x\n")
    assert load("csv", tmp_path, ["text"]).skipped == 2
    assert load("csv", tmp_path, ["text", "label"], modality="text_pair").skipped == 2
    as_jsonl(tmp_path / "a.jsonl", rows())
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b'\n{"text": 3}\n{"txt": "x"}\n["text"]\nnot json\n{"text": "Gr\xf6\xdfe"}\n{"text": "\\ud800"}\n\n')
    data = load("jsonl", tmp_path, ["text"])
    assert (data.skipped, len(every(data))) == (6, 20)


def test_tabs_and_long_fields(tmp_path: Path) -> None:
    as_csv(tmp_path / "a.tsv", [*rows(), {"text": "long " * 50_000}])
    data = load("csv", tmp_path, ["text"])
    assert (len(every(data)), data.skipped) == (21, 0)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_an_entry_of_an_entry(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", [{"translation": {"en": f"word {n}", "de": f"Wort {n}"}} for n in range(20)])
    data = load(kind, tmp_path / "a", ["translation.en", "translation.de"], modality="text_pair")
    assert all(item["target"] == item["source"].replace("word", "Wort") for item in every(data))


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_is_not_there(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows())
    wanted = rf"dataset {kind}: option 'columns': .*/a has no column 'txt'; name one of: label, same, text$"
    with pytest.raises(DataError, match=wanted):
        load(kind, tmp_path / "a", ["txt"])


@pytest.mark.parametrize(("kind", "broken"), [("csv", b"text,label,same\na,b,c,d\n"), ("jsonl", b"{oops\n")])
def test_a_first_row_that_is_broken_hides_no_missing_column(kind: str, broken: bytes, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows())
    written = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(broken + (written.partition(b"\n")[2] if kind == "csv" else written))
    with pytest.raises(DataError, match="has no column 'txt'; name one of: label, "):
        load(kind, tmp_path / "a", ["txt"])


def test_a_first_row_without_the_column_is_damaged_and_no_more(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", [{"label": "x"}, *rows()])
    data = load("jsonl", tmp_path, ["text"])
    assert (len(every(data)), data.skipped) == (20, 1)


def test_a_quote_that_is_never_closed_is_counted(tmp_path: Path) -> None:
    table = "text\n" + "".join(f"text {n}\n" for n in range(20))
    (tmp_path / "a.csv").write_text(f'{table}"half" a quote\nafter it\n"open\nand lost\n')
    data = load("csv", tmp_path, ["text"])
    assert (len(every(data)), data.skipped) == (21, 3)
    assert "after it" in every(data)


@pytest.mark.parametrize(
    ("opening", "end", "lost", "kept"),
    [
        ('"open,x', "", "22-41", 20),  # is never closed
        ('"open,x', 'a "half" quote,x\nlast,x\n', "22-42", 21),  # by a quote that is not at a field's end
        ('open,"x', 'last,"x"\n', "22-42", 20),
        ('"open,x', 'closed",x,y\n', "22-42", 20),  # more fields than the header
        ('"open,x', 'closed"\nlast,x\n', "22-42", 21),  # fewer
        ('"open,x', 'closed",x\nlast,x\n', "22-42", 21),  # as many
    ],
)
def test_lines_that_a_quote_swallows_are_each_counted(
    opening: str, end: str, lost: str, kept: int, tmp_path: Path
) -> None:
    whole, swallowed = ("".join(f"{kind} {n},x\n" for n in range(count)) for kind, count in (("row", 20), ("lost", 19)))
    (tmp_path / "a.csv").write_text(f"text,label\n{whole}{opening}\n{swallowed}{end}")
    first, last = map(int, lost.split("-"))
    count = last - first + 1
    data = load("csv", tmp_path / "a.csv", ["text"])
    assert (len(every(data)), data.left_out("mine")) == (
        kept,
        [f"{count} of {kept + count} rows of mine, the first: row 21: lines {lost} swallowed by an unclosed quote"],
    )


def test_texts_of_many_lines_are_whole(tmp_path: Path) -> None:
    """Also where some of their lines look like rows, and in a table of one column, where every line does."""
    verses = "Roses are red, my love\nViolets are blue, my dove\n\nSugar is sweet, {}\nAnd so are you\nand you\nand you"
    as_csv(tmp_path / "a.csv", [{"text": verses.format(n), "label": "x"} for n in range(20)])
    as_csv(tmp_path / "b.csv", [{"text": f"one\ntwo\n\n{n}\nfive\nsix\nseven"} for n in range(20)])
    for name in "ab":
        data = load("csv", tmp_path / f"{name}.csv", ["text"])
        assert (len(every(data)), data.skipped) == (20, 0)


@pytest.mark.parametrize("blank", ["\n", "\r\n \r\n", ",,\n\n"])
def test_a_header_is_found_behind_blank_lines(blank: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(blank + "text,label\n" + "".join(f"text {n},x\n\n" for n in range(20)))
    assert len(csv_plugin.content(path=str(tmp_path), columns=["text"])) == 16
    data = load("csv", tmp_path, ["text"])
    assert (len(every(data)), data.skipped) == (20, 0)
    (tmp_path / "a.csv").write_text(blank)
    with pytest.raises(DataError, match=r"is empty; name one that holds text data"):
        load("csv", tmp_path, ["text"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("columns", "modality"), [(["a", "b"], "text"), (["a"], "text_pair"), ([], "text")])
def test_as_many_columns_as_an_item_has_parts(kind: str, columns: list[str], modality: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=f"dataset {kind}: option 'columns': .* will not do; {modality} takes"):
        load(kind, tmp_path, columns, modality=modality)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_something_else(kind: str, tmp_path: Path) -> None:
    (tmp_path / f"a.{kind}").write_bytes(b'\x00\x01"')
    with pytest.raises(DataError, match=rf"dataset {kind}: .*; name one") as raised:
        load(kind, tmp_path, ["text"])
    assert "\n" not in str(raised.value)


def test_a_damaged_file_among_others_is_skipped(tmp_path: Path) -> None:
    as_parquet(tmp_path / "a.parquet", rows())
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    data = load("parquet", tmp_path, ["text"])
    assert (len(every(data)), data.skipped) == (20, 1)


def test_only_some_modalities_are_texts(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="option 'modality'"):
        plugins.find("datasets", "csv").check({"path": str(tmp_path), "columns": ["a"], "modality": "image"})


# What people's files are like -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_damaged_is_told_with_the_total_and_the_first_reason(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", [*rows(), {"text": None}, {"text": None}])
    first = "column 'text' is blank" if kind == "csv" else "column 'text' holds nothing, not text"
    assert load(kind, tmp_path / "a", ["text"]).left_out("cp") == [f"2 of 22 rows of cp, the first: row 21: {first}"]
    (tmp_path / "a").rename(tmp_path / f"a.{kind}")
    WRITERS[kind](tmp_path / f"b.{kind}", [{"text": "more"}])
    told = load(kind, tmp_path, ["text"]).left_out("cp")
    assert told == [f"2 of 23 rows of cp, the first: a.{kind}: row 21: {first}"]


@pytest.mark.parametrize("kind", KINDS)
def test_texts_with_nuls_are_no_texts(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", [*rows(), {"text": "a\0b"}])
    data = load(kind, tmp_path / "a", ["text"])
    assert (data.skipped, len(every(data))) == (1, 20)
    assert "holds NULs" in data.first


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("stored", ["utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
def test_encodings(kind: str, stored: str, tmp_path: Path) -> None:
    more = "" if stored == "cp1252" else "\u2028大"
    written = [{"text": f"Größe, “{n}”{more}"} for n in range(20)]
    text = "text\n" + "".join('"{}"\n'.format(row["text"]) for row in written)
    if kind == "jsonl":
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in written)
    (tmp_path / "a").write_bytes(text.encode(stored))
    named = {"encoding": stored} if stored in ("cp1252", "utf-16-le") else {}
    data = load(kind, tmp_path / "a", ["text"], **named)
    assert sorted(every(data)) == sorted(row["text"] for row in written)
    assert (data.skipped, data.remarks) == (0, [])


def test_half_of_the_rows_are_in_another_encoding(tmp_path: Path) -> None:
    lines = [f"Größe {n}".encode("cp1252" if n % 2 else "utf-8") for n in range(40)]
    (tmp_path / "a.csv").write_bytes(b"\n".join([b"text", *lines]))
    assert load("csv", tmp_path / "a.csv", ["text"]).left_out("cp") == [
        "20 of 40 rows of cp, the first: row 2: column 'text': not UTF-8 (byte 0xf6); "
        "say its encoding in the option, or auto"
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_guess_is_told(kind: str, tmp_path: Path) -> None:
    texts = [f"Die Straße {n} ist für Fußgänger gesperrt" for n in range(20)]
    lines = ["text", *texts] if kind == "csv" else [f'{{"text": "{text}"}}' for text in texts]
    (tmp_path / "a").write_bytes("\n".join(lines).encode("cp1252"))
    data = load(kind, tmp_path / "a", ["text"], encoding="auto")
    assert sorted(every(data)) == sorted(texts)
    assert data.left_out("mine") == ["mine: 1 file read as cp1252, which is a guess"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_unmarked_utf_16_is_no_text(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows())
    (tmp_path / "a").write_bytes((tmp_path / "a").read_text().encode("utf-16-le"))
    with pytest.raises(DataError, match=r"all \d+ items of .* are damaged .*NULs.*utf-16-le"):
        load(kind, tmp_path / "a", ["text"])


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_utf_16_without_a_mark_is_told_how_to_say_the_order(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows())
    (tmp_path / "a").write_bytes((tmp_path / "a").read_text().encode("utf-16-le"))
    with pytest.raises(DataError, match=r"for want of a byte order mark; .*utf-16-le, or utf-16-be"):
        load(kind, tmp_path / "a", ["text"], encoding="utf-16")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_gzip_is_unpacked_and_names_its_split(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows())
    (tmp_path / f"train.{kind}.gz").write_bytes(gzip.compress((tmp_path / "a").read_bytes()))
    WRITERS[kind](tmp_path / "a", [{"text": "a test"}])
    (tmp_path / f"test.{kind}.gz").write_bytes(gzip.compress((tmp_path / "a").read_bytes()))
    (tmp_path / "a").unlink()
    data = load(kind, tmp_path, ["text"])
    assert data.test == ["a test"]
    assert [len(getattr(data, split)) for split in SPLITS] == [18, 2, 1]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_gzip_that_is_cut_short_is_counted_after_the_rows_before(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a", rows(4000))
    (tmp_path / "a").write_bytes(gzip.compress((tmp_path / "a").read_bytes())[:-4000])
    data = load(kind, tmp_path / "a", ["text"])
    assert data.skipped == 1
    assert "its gzip is damaged" in data.first
    assert len(every(data)) > 1000


@pytest.mark.parametrize(("mark", "written"), [(";", ";"), ("\t", "\t"), ("\t", "\\t"), ("|", "|")])
def test_a_delimiter_is_told_where_one_column_holds_it_and_used_where_it_is_named(
    mark: str, written: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(mark.join(["text", "label"]) + "\n" + "".join(f"word, {n}{mark}x\n" for n in range(20)))
    shown = '"\\t"' if mark == "\t" else f'"{mark}"'
    problem = f"has no column 'text'; its header is one column with {shown} in it: say delimiter: {shown}"
    for function in ("csv", "content"):
        with pytest.raises(DataError) as raised:
            getattr(csv_plugin, function)(path=str(path), columns=["text"])
        assert str(raised.value).endswith(problem)
    data = load("csv", path, ["text"], delimiter=written)
    assert sorted(every(data)) == sorted(f"word, {n}" for n in range(20))


@pytest.mark.parametrize("delimiter", [";;", "\n", '"'])
def test_a_delimiter_is_one_character(delimiter: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"option 'delimiter': .* will not do; write the one character"):
        load("csv", tmp_path, ["text"], delimiter=delimiter)


def test_a_column_that_is_there_twice_is_refused_where_it_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,text,label\n" + "".join(f"a {n},b {n},c {n}\n" for n in range(20)))
    table = pa.table([["a"] * 20, ["b"] * 20, [f"c {n}" for n in range(20)]], names=["text", "text", "label"])
    pq.write_table(table, tmp_path / "a.parquet")
    for kind, plugin in (("csv", csv_plugin), ("parquet", parquet_plugin)):
        path = tmp_path / f"a.{kind}"
        for function in (kind, "content"):
            with pytest.raises(DataError, match="has 2 columns 'text'; give each a name of its own"):
                getattr(plugin, function)(path=str(path), columns=["text"])
        assert sorted(every(load(kind, path, ["label"]))) == sorted(f"c {n}" for n in range(20))


def test_an_entry_that_is_there_twice_is_damaged_where_it_is_wanted(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a", rows())
    with (tmp_path / "a").open("a") as file:
        file.write('\n{"text": "one", "text": "two", "label": "x"}')
    data = load("jsonl", tmp_path / "a", ["text"])
    assert data.left_out("mine") == ["1 of 21 rows of mine, the first: row 21: column 'text' is there twice"]
    assert load("jsonl", tmp_path / "a", ["label"]).skipped == 0


def test_parquet_that_is_not_utf_8_is_counted_row_by_row(tmp_path: Path) -> None:
    texts = [f"text {n}".encode() for n in range(20)] + [b"Gr\xf6\xdfe"]
    pq.write_table(pa.table({"text": pa.array(texts).view(pa.string())}), tmp_path / "a.parquet")
    data = load("parquet", tmp_path / "a.parquet", ["text"])
    assert data.left_out("mine") == ["1 of 21 rows of mine, the first: row 21: not UTF-8 (byte 0xf6)"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_known_before_is_said_before(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / f"a.{kind}", rows())
    content = importlib.import_module(f"bench.datasets.{kind}").content
    with pytest.raises(PluginError, match=r"option 'columns': .* will not do; text_pair takes 2"):
        content(path=str(tmp_path), columns=["text"], modality="text_pair")
    if kind != "jsonl":  # whose rows may each have their own
        with pytest.raises(DataError, match="has no column 'txt'; name one of: label, same, text"):
            content(path=str(tmp_path), columns=["txt"])
    (tmp_path / f"b.{kind}").write_bytes(b"")  # is damaged, and counted when it is read
    assert len(content(path=str(tmp_path), columns=["text"])) == 16
