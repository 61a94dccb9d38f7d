"""What `bench list NAME` shows of every plugin and every suite: a page to read, and JSON."""

import json

import pytest

from bench import __main__, plugins
from bench.commands import _listing
from bench.suite import loading

NAMES = sorted({name for kind in plugins.KINDS for name in plugins.names(kind)} | {p.stem for p in loading.available()})


@pytest.mark.parametrize("name", NAMES)
def test_everything_can_be_shown_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["list", name, "--json"]) == 0
    for one in json.loads(capsys.readouterr().out):
        assert one["name"] == name
        assert one["text"]
        for option in one.get("options", {}).values():
            assert option["type"]
    assert __main__.main(["list", name]) == 0
    shown = capsys.readouterr().out
    assert name in shown
    assert "Ellipsis" not in shown
    assert "``" not in shown


@pytest.mark.parametrize("name", plugins.names("approaches"))
def test_every_option_of_an_approach_is_described(name: str) -> None:
    (whole, *_) = _listing.whole(name)
    assert all(option["about"] for option in whole["options"].values())


def test_lora_is_shown_with_its_options_and_its_paper(capsys: pytest.CaptureFixture[str]) -> None:
    __main__.main(["list", "lora"])
    shown = capsys.readouterr().out
    for words in ("lora  approach", "rank", "Count", "8", "Paper: Hu et al. 2022", "decides: weights"):
        assert words in shown


def test_the_list_of_kinds_fits_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    __main__.main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 20
    assert all(len(line) <= 100 for line in lines)
    assert f"approaches  {len(plugins.names('approaches')):4}" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lroa"], "nothing is called 'lroa'; did you mean 'lora'?"),
        (["qqqq"], "nothing is called 'qqqq'; see `bench list approaches`, or families"),
        (["lora", "--matrix"], "--matrix shows all approaches and families; leave out 'lora'"),
    ],
)
def test_what_is_not_there_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["list", *arguments]) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
