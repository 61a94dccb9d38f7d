"""Anybody's table: long or wide, CSV or parquet; what does not fit is one line with file, line, column and remedy."""

import argparse
import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import ResultsError
from bench.report import aggregate
from bench.results import imported, importing, tidy
from bench.results.imported import Imported
from tests.report.frames import frame_of, seeds

LONG = """\
method,run,name,score,comment
lora,0,accuracy,0.5,a
lora,1,accuracy,0.7,b
lora,0,loss,1.25,c
ia3,0,accuracy,,d
"""
WIDE = """\
approach;seed;acc;loss;n;stderr
lora;0;0,5;1;100;0.1
"""
ACC = {"metric": ["acc:higher"]}
LONG_MAP = ["approach=method", "seed=run", "metric=name", "value=score"]


def read(path: Path, content: str | bytes, **given: list[str]) -> Imported:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options: dict[str, list[str]] = {"map": [], "set": [], "metric": []} | given
    found: Imported = importing.find("csv").read(argparse.Namespace(path=path, **options))
    return found


def values(found: Imported) -> dict[tuple[Any, ...], dict[str, float]]:
    return {
        (cell.asked["approach"], cell.asked["seed"]): {s["metric"]: s["value"] for s in cell.happened["scores"]}
        for cell in found.cells
    }


def test_a_long_table(tmp_path: Path) -> None:
    found = read(
        tmp_path / "it.csv",
        LONG,
        map=LONG_MAP,
        set=["model=llama", "target=maths", "data_size=500"],
        metric=["accuracy:higher", "loss:lower:nats"],
    )
    assert values(found) == {
        ("lora", 0): {"accuracy": 0.5, "loss": 1.25},
        ("lora", 1): {"accuracy": 0.7},
        ("ia3", 0): {},
    }
    assert found.cells[0].place == ("llama", "maths", "lora", "clean", 500, 0)
    assert [score["unit"] for score in found.cells[0].happened["scores"]] == ["", "nats"]
    assert found.missing() == {"accuracy": 1}
    assert found.left_out == ["1 column of it.csv: comment"]
    assert (found.told, found.primary) == ([], {"": "accuracy"})


def test_a_wide_table_with_tabs(tmp_path: Path) -> None:
    text = "\ufeffwhich\tseed\tacc\tms\tse\tn\r\nlora\t0\t0.5\t12\t0.05\t100\r\nia3\t0\tNaN\t9\t\t\r\n"
    found = read(
        tmp_path / "it.tsv",
        text,
        map=["approach=which", "error.accuracy=se", "n.latency=seed"],
        metric=["accuracy=acc:higher:%", "latency=ms:lower:ms"],
    )
    assert values(found) == {("lora", 0): {"accuracy": 0.5, "latency": 12}, ("ia3", 0): {"latency": 9}}
    accuracy, latency = found.cells[0].happened["scores"]
    assert (accuracy["error"], accuracy["n"], accuracy["better"], accuracy["unit"]) == (0.05, 100, "higher", "%")
    assert (latency["error"], latency["n"]) == (None, 0)
    assert [line.split(";")[0] for line in found.told] == [
        "no column is the model, so it is unknown",
        "no column is the target, so it is unknown",
        "no column is the data_size, so it is 0 examples",
    ]


@pytest.mark.parametrize(
    ("header", "mark"),
    [
        ('approach,"time; in hours; or; where\nlong; in days",acc', ","),
        ('"a;b;c;d;e",approach,acc', ","),
        ('"a ""b;c;d;e"", f",approach,acc', ","),
        ('approach;"a,b,c,d";acc', ";"),
        ('approach;"\n\n";acc', ";"),
        ('approach|5" a,b|acc', "|"),
        ('\ufeff"a\tb\tc\td",approach,acc', ","),
        ("\ufeff\n  \n,,,,\r\napproach;acc;x, y and z", ";"),
        ("approach\tacc\tx,y\r", "\t"),
        ('approach;acc;x;"' + "long, " * 10_000 + '"', ";"),
    ],
)
def test_the_separator_is_the_header_s_whatever_its_quotes_hold(header: str, mark: str, tmp_path: Path) -> None:
    lines = csv.reader(io.StringIO(header.strip("\ufeff"), newline=""), delimiter=mark)
    names = next(line for line in lines if "acc" in line)
    row = mark.join({"approach": "lora", "acc": "0.5"}.get(name, "x") for name in names)
    found = read(tmp_path / "it.csv", f"{header}\n{row}\n", **ACC)
    assert values(found) == {("lora", 0): {"acc": 0.5}}


def test_parquet_is_told_by_its_content(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    table = {"approach": ["lora", "lora"], "seed": [0.0, 1.0], "accuracy": [0.5, None], "model": ["m", "m"]}
    pd.DataFrame(table).to_parquet(buffer)
    found = read(tmp_path / "it.csv", buffer.getvalue(), metric=["accuracy:higher"])
    assert values(found) == {("lora", 0): {"accuracy": 0.5}, ("lora", 1): {}}


def test_what_export_prints_comes_back_as_it_was(tmp_path: Path) -> None:
    table = frame_of(
        {
            ("zero_shot", 0): seeds(2.5),
            ("lora", 16): seeds(2.0, 2.125, ("out_of_memory", "no room")),
            ("lora", 64): seeds(1.5, 1.75),
        },
        error=0.25,
    )
    read_back = read(tmp_path / "it.csv", table.to_csv(index=False))
    run = imported.folder(tmp_path, "s", "r")
    imported.write(read_back, run, "csv", "")
    again = tidy.read(run)
    unlike = ["cell", *(["error"] if table["error"].isna().any() else [])]
    pd.testing.assert_frame_equal(
        again.drop(columns=unlike),
        table.assign(
            unit=table["unit"].where(table["metric"] != "", ""),
            better=table["better"].where(table["metric"] != "", ""),
            n=table["n"].where(table["metric"] != "", 0),
            error=table["error"].where(table["metric"] != ""),
        ).drop(columns=unlike),
    )


def sizes(found: Imported) -> list[tuple[str, int]]:
    return [(cell.asked["approach"], cell.asked["data_size"]) for cell in found.cells]


def test_a_result_without_a_size_beside_others_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = "lora,10,0,0.5\nlora,100,0,0.6\nia3,,0,0.9\nia3,NA,1,0.8\nboft,,0,\nmerging,0,0,0.3\n"
    found = read(tmp_path / "it.csv", f"approach,n_train,seed,acc\n{rows}", map=["data_size=n_train"], **ACC)
    assert sizes(found) == [("lora", 10), ("lora", 100), ("merging", 0)]
    assert found.left_out == [
        "3 results of it.csv without a data size, which others have: ia3, boft; "
        "fill column 'n_train', from line 4 on, with 0 for what uses no target data"
    ]
    assert "3 results" in found.description


def test_controls_without_target_data_need_no_size(tmp_path: Path) -> None:
    named = "base model,{},,0.3\n".format('"{""zero_shot"": {}}"')
    rows = f"zero_shot,,,0.1\nreal_data,,,0.9\ntraining_data,,,0.8\n{named}from_scratch,,,0.2\nlora,,10,0.5\n"
    found = read(tmp_path / "it.csv", f"approach,options,data_size,acc\n{rows}", **ACC)
    assert sizes(found) == [
        *((name, 0) for name in ("zero_shot", "real_data", "training_data", "base model")),
        ("lora", 10),
    ]
    assert [line.partition(";")[0] for line in found.left_out] == [
        "1 result of it.csv without a data size, which others have: from_scratch"
    ]


@pytest.mark.parametrize("zero", ["", "0"])
def test_where_no_result_has_a_size_all_are_compared(zero: str, tmp_path: Path) -> None:
    rows = f"zero_shot,{zero},0,0.1\n" + "".join(f"lora,,{s},0.5{s}\nia3,NA,{s},0.9{s}\n" for s in range(3))
    found = read(tmp_path / "it.csv", f"approach,n,seed,acc\n{rows}", map=["data_size=n"], **ACC)
    assert set(sizes(found)) == {("zero_shot", 0), ("lora", 0), ("ia3", 0)}
    assert found.left_out == []
    assert found.told[-1] == "column 'n' holds no data size, so it is 0 examples in all rows; fill it"
    run = imported.folder(tmp_path, "s", "r")
    imported.write(found, run, "csv", "")
    marks = aggregate.summarise(tidy.read(run)).set_index("approach")["mark"]
    assert marks.to_dict() == {"zero_shot": "", "lora": "", "ia3": "best"}


def test_each_of_many_rows_is_a_result(tmp_path: Path) -> None:
    rows = "".join(f"a{row % 40},{row // 40},0.5\n" for row in range(1000))
    found = read(tmp_path / "it.csv", f"approach,seed,accuracy\n{rows}", metric=["accuracy:higher"])
    assert len(found.cells) == 1000


@pytest.mark.parametrize(
    ("content", "given", "line"),
    [
        ("", {}, "it.csv: no table (it is empty); name a CSV or a parquet file"),
        ("approach,accuracy\n", {"metric": ["accuracy:higher"]}, "it.csv: no row under its header"),
        ("a,a\n1,2\n", {}, "it.csv: column 'a' is there twice"),
        ("a,b\n1,2\n", {}, "it.csv: which approach a row is of is not said; add --map approach=COLUMN"),
        ("approach,b\n1,2\n", {}, "it.csv: no column with scores is named; add --metric COLUMN:higher"),
        ("approach,value\nx,2\n", {}, "it.csv: which metric column 'value' holds is not said; add --map metric="),
        (
            "approach,acc\nx,2\n",
            {"metric": ["acc"]},
            "metric 'acc': whether higher or lower is better is not said; say",
        ),
        (LONG, {"map": LONG_MAP}, "metric 'accuracy' (and 1 more): whether higher or lower is better is not said"),
        (LONG, {"map": ["approach=methd"]}, "it.csv: --map approach=methd: no column 'methd'; did you mean 'method'?"),
        (
            LONG,
            {"map": ["aproach=method"]},
            "--map 'aproach=method': 'aproach' is none of ours; did you mean 'approach'?",
        ),
        (LONG, {"map": ["approach"]}, "--map 'approach': write --map NAME=COLUMN"),
        (LONG, {"set": ["model="]}, "--set 'model=': write --set NAME=VALUE"),
        (LONG, {"map": ["model=run"], "set": ["model=x"]}, "--map and --set both say model; leave one out"),
        (LONG, {"metric": [":higher"]}, "--metric ':higher': write --metric NAME:higher, or NAME=COLUMN:lower:UNIT"),
        (
            WIDE,
            {"metric": ["acc:higher"]},
            "it.csv: line 2: column 'acc': \"0,5\" is no acc; write a number such as 0.5",
        ),
        (
            "approach,accuracy\nlora,good\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'accuracy': \"good\" is no accuracy; write a number such as 0.5, or leave it empty",
        ),
        (
            "approach,seed,accuracy\nlora,0,1\n\nlora,0,2\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 4: 'accuracy' of 'lora' (seed 0) is in line 2 already; leave one out, or tell the rows apart",
        ),
        (
            "approach,seed,accuracy\nlora,one,1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'seed': \"one\" will not do; it should be a number",
        ),
        (
            "approach,seed,accuracy\nlora,0.5,1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'seed': \"0.5\" will not do; it should be a whole number, 0 or more",
        ),
        (
            "approach,accuracy\n,1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: no approach; say which approach the row is of",
        ),
        (
            f"approach,accuracy\n{'x' * 201},1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'approach': \"xxx",
        ),
        (
            "approach,accuracy\na\x1b[2Jb,1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'approach': \"a\\u001b[2Jb\" will not do; it should be at most 200 printable",
        ),
        (
            "approach,status,accuracy\nlora,done,1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'status': \"done\" will not do; it should be one of ok, failed",
        ),
        (
            "approach,status,accuracy\nlora,failed,1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'accuracy': 1.0: the row's status is failed, so it has no score",
        ),
        (
            "approach,metric,value,better\nlora,a,1,higher\nia3,a,1,lower\n",
            {},
            "it.csv: line 3: column 'better': \"lower\" will not do; in line 2 it is \"higher\" for 'a'",
        ),
        (
            "approach,metric,value,better\nlora,a,1,up\n",
            {},
            "it.csv: line 2: column 'better': \"up\" will not do; it should be one of higher, lower, none",
        ),
        (
            "approach,metric,value,family\nlora,a,1,f\nlora,b,1,g\n",
            {"metric": ["a:higher", "b:lower"]},
            "it.csv: line 3: column 'family': \"g\" will not do; another than in line 2, which is of the same result",
        ),
        (
            "approach,options,accuracy\nlora,[],1\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: column 'options': \"[]\" will not do; it should be JSON such as",
        ),
        (
            "approach,accuracy\nlora,1,2\n",
            {"metric": ["accuracy:higher"]},
            "it.csv: line 2: 3 fields under 2 columns; put quotes around",
        ),
        (b"approach,accuracy\n\xff,1\n", {"metric": ["accuracy:higher"]}, "it.csv: not in UTF-8"),
        ('approach,accuracy\n"lora,1\n', {"metric": ["accuracy:higher"]}, "it.csv: no CSV table"),
        (b"PAR1 and no more", {}, "it.csv: no table ("),
    ],
)
def test_what_will_not_do_is_one_line(
    content: str | bytes, given: dict[str, list[str]], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResultsError) as refused:
        read(Path("it.csv"), content, **given)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.csv"):
        with pytest.raises(ResultsError, match=str(path)):
            importing.find("csv").read(argparse.Namespace(path=path, map=[], set=[], metric=[]))


def test_scores_that_are_not_finite_are_missing(tmp_path: Path) -> None:
    rows = "".join(
        f"a{row},{text}\n" for row, text in enumerate(("inf", "-inf", "1e999", "nan", "NA", "", "-", "1_0")[:7])
    )
    found = read(tmp_path / "it.csv", f"approach,accuracy\n{rows}", metric=["accuracy:higher"])
    assert found.missing() == {"accuracy": 7}


def test_a_metric_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    found = read(tmp_path / "it.csv", "approach,bleu:4\nlora,3\n", metric=["bleu:4:higher"])
    assert found.cells[0].happened["scores"][0]["metric"] == "bleu:4"
