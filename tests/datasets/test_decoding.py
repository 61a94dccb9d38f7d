"""A user's texts in the encodings that people's files have: marked, named or guessed; packed; and what is no text."""

import gzip
import tracemalloc
import zlib
from pathlib import Path

import pytest

from bench.datasets import _decoding
from bench.datasets._files import Damaged
from bench.errors import PluginError

TEXT = "Größe, naïve café: “Straße”\n"


def read(path: Path, encoding: str = "utf-8") -> str:
    with _decoding.opened(path, encoding) as file:
        text = file.read()
    if flaw := _decoding.flaw(text, encoding):
        raise Damaged(flaw)
    return text


def written(folder: Path, data: bytes) -> Path:
    path = folder / "a"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("asked", ["utf-8", "cp1252", "auto", "utf-16-be"])
def test_a_byte_order_mark_is_believed(encoding: str, asked: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, TEXT.encode(encoding)), asked) == TEXT
    other_order = {"utf-16": b"\xfe\xff" + TEXT.encode("utf-16-be")}.get(encoding, TEXT.encode(encoding))
    assert read(written(tmp_path, other_order), asked) == TEXT


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16-le", "utf-16-be"])
def test_a_named_encoding_is_used(encoding: str, tmp_path: Path) -> None:
    assert read(written(tmp_path, TEXT.encode(encoding)), encoding) == TEXT


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        ("Größe".encode("cp1252"), "utf-8", r"^not UTF-8 \(byte 0xf6\); say its encoding in the option, or auto$"),
        (b"caf\x81", "cp1252", r"^not CP1252 \(byte 0x81\)"),
        (TEXT.encode("utf-16-le"), "utf-8", "NULs: it is binary, or UTF-16 without a byte order mark"),
        (TEXT.encode("utf-16-be"), "auto", "NULs"),
        (b"a\0b", "utf-8", "NULs"),
        ("Größe".encode("utf-16")[:-1], "utf-8", "^not UTF-16"),
        (
            TEXT.encode("utf-16-le"),
            "utf-16",
            r"^not UTF-16, .*order mark; .*\(utf-16-le, or utf-16-be\)$",
        ),
        (
            TEXT.encode("utf-32-be"),
            "UTF32",
            r"^not UTF-32, .*order mark; .*\(utf-32-le, or utf-32-be\)$",
        ),
        (b"PK\x03\x04rest", "utf-8", "it is a zip archive, or a workbook such as .xlsx; unpack it"),
        (b"%PDF-1.7", "utf-8", "it is a PDF"),
        (b"PAR1\x15\x04", "utf-8", "read it with the dataset parquet"),
        (
            gzip.compress(gzip.compress(b"abc", mtime=0), mtime=0),
            "utf-8",
            "^it is compressed by gzip twice; unpack it once$",
        ),
        (
            gzip.compress(b"%PDF-1.7", mtime=0),
            "auto",
            "^it is gzip, and what it holds is a PDF; save it as plain text$",
        ),
        (b"a.txt" + bytes(252) + b"ustar\0rest", "utf-8", "^it is a tar archive; unpack it$"),
        (
            gzip.compress(b"a.txt" + bytes(252) + b"ustar\0rest", mtime=0),
            "utf-8",
            "what it holds is a tar archive; unpack it$",
        ),
        (gzip.compress(b"a" * 1000, mtime=0)[:-9], "utf-8", "its gzip is damaged"),
        (gzip.compress(b"abc", mtime=0)[:12] + b"\xff\xff\xff", "utf-8", "its gzip is damaged"),
    ],
    ids=str,
)
def test_what_is_no_text_says_why(data: bytes, encoding: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match=said):
        read(written(tmp_path, data), encoding)


def test_a_text_that_begins_like_a_format_is_a_text(tmp_path: Path) -> None:
    for text in ("BZh is no archive", "PK is a pair of letters", "PAR1 is a name"):
        assert read(written(tmp_path, text.encode())) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Die Straße ist für Fußgänger gesperrt", "cp1252"),
        ("naïve café – “quoted” text", "cp1252"),
        ("El niño comió mañana en la montaña, ¿verdad?", "cp1252"),
        ("вопрос номер один, ответ на вопрос номер два", "cp1251"),
        ("вопрос номер один, ответ на вопрос номер два", "koi8_r"),
        ("Zażółć gęślą jaźń, proszę bardzo, książka", "cp1250"),
        ("Αυτό είναι ένα κείμενο στα ελληνικά", "cp1253"),
        ("これは日本語の文章です。東京は大きい。", "shift_jis"),
        ("这是一个中文句子，用来测试编码。", "gb18030"),
    ],
)
def test_auto_guesses_the_usual_encodings_and_says_so(text: str, encoding: str, tmp_path: Path) -> None:
    lines = "".join(f"plain line {n}\n{text} {n}\n" for n in range(20))
    path = written(tmp_path, lines.encode(encoding))
    assert read(path, "auto") == lines
    with _decoding.opened(path, "auto") as file:
        assert [remark.of for remark in _decoding.remarks(file, "auto")] == ["file"]
        assert f"read as {file.encoding}, which is a guess" in _decoding.remarks(file, "auto")[0].said


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("güneşli bir gün, çok güzel", "cp1254"),
        ("TÜRKİYE CUMHURİYETİ ANAYASASI", "cp1254"),
        ("Þetta er góður dagur, það er sól", "cp1252"),  # where the bytes of Turkish letters are others
        ("gęśl, zażółć gęślą jaźń", "iso8859_2"),
        ("Szczęśliwa godzina wybiła właśnie teraz", "iso8859_2"),
        ("Wałęsa, Lech; Miłosz, Czesław; Szymborska, Wisława", "cp1250"),
        ("Сегодня хорошая погода, мы идём гулять.", "cp1251"),
        ("Мама мыла раму", "cp1251"),
        ("Привет, мир", "koi8_r"),
        ("ДОГОВОР КУПЛИ И ПРОДАЖИ КВАРТИРЫ В МНОГОКВАРТИРНОМ ДОМЕ. СТОРОНЫ ДОГОВОРИЛИСЬ О СЛЕДУЮЩЕМ", "cp1251"),
        ("ירושלים היא בירת ישראל, והיא העיר הגדולה בה", "cp1255"),
        ("Ačiū, gerai. Kaip sekasi, mūsų žmonės?", "cp1257"),
        ("GRÖSSE UND STRASSE ÜBERALL", "cp1252"),
        ("Windows™ costs 5 € at 20 °C – »that’s fine« …", "cp1252"),
        ("今天天气很好", "gb18030"),
    ],
)
@pytest.mark.parametrize("times", [1, 20])
def test_auto_guesses_from_one_line_what_its_letters_say(text: str, encoding: str, times: int, tmp_path: Path) -> None:
    lines = f"plain line\n{text}\n" * times
    assert read(written(tmp_path, lines.encode(encoding)), "auto") == lines


def test_auto_finds_what_comes_late_and_keeps_utf_8(tmp_path: Path) -> None:
    plain = b"a plain line\n" * 200_000  # more than is read at once
    assert read(written(tmp_path, plain + "Die Straße ist für Fußgänger\n".encode("cp1252")), "auto").endswith(
        "Die Straße ist für Fußgänger\n"
    )
    path = written(tmp_path, plain + "日本".encode())
    assert read(path, "auto").endswith("日本")
    with _decoding.opened(path, "auto") as file:
        assert _decoding.remarks(file, "auto") == []


def test_auto_gives_up_in_words(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="its encoding cannot be guessed; say it in the option encoding"):
        read(written(tmp_path, bytes(range(128, 256)) * 20), "auto")


@pytest.mark.parametrize("encoding", ["latin", "utf-8", "cp1252", "utf-16", "utf-7", "gb18030", "iso2022_jp", "auto"])
def test_names_that_python_knows(encoding: str) -> None:
    _decoding.check("mine", encoding)


@pytest.mark.parametrize(
    "encoding", ["utf8000", "", "rot13", "base64", "a\0b", "idna", "punycode", "undefined", "bz2", "zlib"]
)
def test_names_that_it_does_not(encoding: str) -> None:
    with pytest.raises(PluginError, match=r"dataset mine: option 'encoding': .* is none; name one"):
        _decoding.check("mine", encoding)


def test_gzip_is_unpacked_whatever_the_file_is_called(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        assert read(written(tmp_path, gzip.compress(TEXT.encode(encoding)))) == TEXT


@pytest.mark.parametrize("encoding", ["utf-8", "auto"])
def test_a_bomb_is_damaged_before_it_fills_the_memory(encoding: str, tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    data = b"".join(packer.compress(b"a" * 2**20) for _ in range(300)) + packer.flush()  # 300 MB in 0.3
    path = written(tmp_path, data)
    tracemalloc.start()
    with pytest.raises(Damaged, match="unfolds to more than 200 times its size"):
        read(path, encoding)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
