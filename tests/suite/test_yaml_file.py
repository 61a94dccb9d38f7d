"""YAML as its writer meant it, and one line where it is not what a suite can be."""

from pathlib import Path
from typing import Any

import pytest

from bench.errors import SuiteError
from bench.suite import yaml_file
from tests.plans import refused, refused_run


def bomb(written: str) -> str:
    """Ten aliases of ten aliases …, in lists or in merged mappings."""
    return "\n".join(
        ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {written % ', '.join([f'*a{n - 1}'] * 10)}" for n in range(1, 9))]
    )


UNCLEAR = "is a text in YAML 1.2 and was none in 1.1; write true, false or plain digits, or put quotes round it"

REFUSED = {
    "empty": ("", "is empty; see suites/quickstart.yaml for what a suite holds"),
    "only a comment": ("# nothing yet\n", "is empty; see suites/quickstart.yaml"),
    "a number": ("3", "is not a mapping (`key: value`); see suites/quickstart.yaml"),
    "a list": ("- lora", "is not a mapping (`key: value`); see suites/quickstart.yaml"),
    "prose": ("A suite, but written as prose.", "is not a mapping"),
    "not UTF-8": (b"\xff\xfe\x00", "cannot be read ('utf-8' codec can't decode byte 0xff"),
    "tabs": ("a:\n\t- b", r"line 2, column 1: found character '\t' that cannot start any token; mend it there"),
    "open bracket": ("a: [1, 2", "line 1, column 9: expected ',' or ']', but got '<stream end>'; mend it there"),
    "two documents": ("a: 1\n---\nb: 2", "line 2, column 1: but found another document; mend it there"),
    "control characters": ("a: \x07", "not YAML (special characters are not allowed); mend it there"),
    "unknown alias": ("a: *b", "line 1, column 4: found undefined alias 'b'; mend it there"),
    "list in itself": (
        "a: &a [*a]",
        "line 1, column 4: an alias stands inside of what it is an alias of; mend it there",
    ),
    "mapping in itself": ("a: &a {b: [*a]}", "line 1, column 4: an alias stands inside of what it is an alias of"),
    "aliases of aliases": (bomb("[%s]"), "line 6, column 5: its aliases come to more than 100000 values; mend it"),
    "merges of merges": (bomb("{<<: [%s]}"), "line 6, column 14: its aliases come to more than 100000 values"),
    "huge": ("a: 1\n" * 300_000, "is larger than 1 MiB; no suite is; check the path"),
    "no": ("a: no", f"line 1, column 4: no {UNCLEAR}"),
    "On": ("a: [On]", f"line 1, column 5: On {UNCLEAR}"),
    "underscores": ("a: 1_000", f"line 1, column 4: 1_000 {UNCLEAR}"),
    "binary digits": ("a: 0b11", f"line 1, column 4: 0b11 {UNCLEAR}"),
    "a long key twice": (f"{'k' * 900}: 1\n{'k' * 900}: 1", f"line 2, column 1: '{'k' * 74}…{'k' * 25}' stands there"),
    "a tag that reads as 1.1": (
        "a: !!bool yes",
        "line 1, column 4: a tag does not fit its value (yes); leave out tags (!!)",
    ),
    "a tag of another type": (
        "a: !!int 1_000",
        "line 1, column 4: a tag does not fit its value (1_000); leave out tags (!!)",
    ),
    "too deep": ("a: " + "[" * 5000, "lists and mappings are nested too deeply"),
    "key twice": ("a: 1\nb: 2\na: 3", "line 3, column 1: 'a' stands there twice; keep one of the two"),
    "key twice inside": ("a:\n  - {b: 1, b: 1}", "line 2, column 12: 'b' stands there twice; keep one of the two"),
    "a number as key": ("models: {3: x}", "line 1, column 10: the key 3 is not text; put quotes round it"),
    "on as key": ("on: x", "line 1, column 1: the key on is not text; put quotes round it"),
    "a list as key": ("? [a]\n: b", "line 1, column 3: the key (a sequence) is not text; put quotes round it"),
    "a list called text as key": ("? !!str [a]\n: b", "line 1, column 3: the key (a sequence) is not text"),
    "not a number": ("a: .nan", "line 1, column 4: .nan is not a finite number; mend it there"),
    "infinity": ("a: [-.inf]", "line 1, column 5: -.inf is not a finite number; mend it there"),
    "overflow": ("a: 1e999", "line 1, column 4: 1e999 is not a finite number; mend it there"),
    "too large": (
        "a: 9223372036854775808",
        "line 1, column 4: 9223372036854775808 is larger than a whole number may be",
    ),
    "far too large": ("a: " + "9" * 9999, f"line 1, column 4: {'9' * 24} is larger than a whole number may be"),
    "code": (
        "a: !!python/object/apply:os.system [x]",
        "line 1, column 4: could not determine a constructor for the tag",
    ),
    "set": ("a: !!set {b}", "line 1, column 4: could not determine a constructor for the tag"),
    "bytes": ("a: !!binary aGk=", "line 1, column 4: could not determine a constructor for the tag"),
    "wrong tag": ("a: !!bool maybe", "line 1, column 4: a tag does not fit its value (maybe); leave out tags (!!)"),
    "a list called a number": (
        "a: 1\nseeds: !!int [1]",
        "line 2, column 8: a tag does not fit its value (a sequence); leave out tags (!!)",
    ),
    "a mapping called a number": ("a: !!float {b: 1}", "line 1, column 4: a tag does not fit its value (a mapping)"),
    "a list called yes or no": ("a: !!bool [true]", "line 1, column 4: a tag does not fit its value (a sequence)"),
    "a list called a mapping": ("seeds: !!map [1]", "line 1, column 8: a tag does not fit its value (a sequence)"),
    "a text called a mapping": ("a: !!map b", "line 1, column 4: a tag does not fit its value (b); leave out"),
    "a suite that is a list called a mapping": ("!!map [1]", "line 1, column 1: a tag does not fit its value"),
    "a text called null": ("a: !!null b", "line 1, column 4: a tag does not fit its value (b); leave out tags (!!)"),
    "a list called text": ("a: !!str [b]", "line 1, column 4: expected a scalar node, but found sequence; mend it"),
    "a list called unclear": ("a: !!1.1 [b]", "line 1, column 4: a tag does not fit its value (a sequence); leave"),
    "no character": (r'a: "\UFFFFFFFF"', "not YAML ("),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_no_suite_can_be(
    content: str | bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refused_run(capsys, path).startswith(said)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("-2E+6", -2e6),
        ("007", 7),
        ("010", 10),
        ("0256", 256),
        ("-08", -8),
        ("+1", 1),
        ("0o17", 15),
        ("0x1F", 31),
        ("[007, 010]", [7, 10]),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("12e03", 12000.0),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("0o8", "0o8"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("y", "y"),
        ("tRUE", "tRUE"),
        ("TRUE", True),
        ("~", None),
        ("", None),
        ("'no'", "no"),
        ("=", "="),
        ("9223372036854775807", 2**63 - 1),
        ("2024-01-01", "2024-01-01"),
        ("2024-13-01", "2024-13-01"),
        ("'3'", "3"),
        ("1e-3x", "1e-3x"),
        ("null", None),
        ("true", True),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
    ],
)
def test_values_are_what_they_look_like(text: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(f"a: {text}")
    assert yaml_file.read(path) == {"a": value}


def test_defaults_may_be_merged_and_overridden(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("base: &base {steps: 1, clip: 2}\nmine: {<<: *base, steps: 3}")
    assert yaml_file.read(path)["mine"] == {"steps": 3, "clip": 2}


def test_a_file_one_may_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(path: Path, **_: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "suite.yaml"
    path.touch()
    monkeypatch.setattr(Path, "read_text", forbidden)  # whoever runs the tests may be allowed to read everything
    said = refused(capsys, "plan", path)
    assert said == f"bench: {path}: cannot be read (Permission denied); it should be a UTF-8 text file you may read"


def test_an_error_knows_its_parts_in_another_process_too(tmp_path: Path) -> None:
    import pickle

    with pytest.raises(SuiteError) as caught:
        yaml_file.read(tmp_path)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.file, again.problem) == (str(caught.value), tmp_path, "is a folder")
