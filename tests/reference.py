"""Make the reference runs that are committed small: ``python -m tests.reference``.

Of the samples those stay that pages show: of each run's first seed, and of pictures the first rows; of the curves the
validations. Figures are in the page, and files where the README shows them; the table can be exported. Trained
weights go. Records and numbers stay as they are.
"""

import io
import re
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from bench.publication import overview
from bench.report.samples import COLUMNS, ROWS
from bench.results import files, packed, runs, weights
from bench.running.ledger import Ledger
from bench.suite import loading

ROOT = Path(__file__).parents[1]
RUNS = sorted(path.parent for path in ROOT.glob("results/*/reference/run.json"))

_SAMPLES = re.compile(r"cells/.*/(samples|conditions)[^/]*")


def shrink(run: Path) -> None:
    """Leave the samples of other seeds than the first out of a packed run, and settle it again."""
    records = runs.read(run).records
    assert (run / packed.RECORDS).exists(), f"{run} is not packed; go on with it first"
    first = min(record["asked"]["seed"] for record in records)
    others = {record["cell"] for record in records if record["asked"]["seed"] != first}
    pack = packed.Pack(run)
    assert not pack.check(), pack.damaged
    kept = [name for name in pack.names() if not (_SAMPLES.fullmatch(name) and name.split("/")[1] in others)]

    def content(name: str) -> bytes:
        whole = pack.content(name) or b""
        if name.endswith("curve.csv"):
            return validations(whole)
        return cut(whole) if name.endswith(".png") else whole

    packed.write_archive(run, kept, content)
    shutil.rmtree(run / weights.FOLDER, ignore_errors=True)
    info = files.read_json(run / "run.json") | {"weights": {}}
    files.write_json(run / "run.json", files.sealed(info | {"packed": packed.checksums(run)}))


def validations(curve: bytes) -> bytes:
    """The rows of a curve that validate."""
    head, *rows = curve.decode().splitlines()
    column = head.split(",").index("validation_loss")
    return "\n".join([head, *(row for row in rows if row.split(",")[column]), ""]).encode()


def cut(picture: bytes) -> bytes:
    """The first rows of a grid of square tiles; one of fewer columns is left as it is."""
    with Image.open(io.BytesIO(picture)) as grid:
        tile = grid.width // COLUMNS
        if grid.width % COLUMNS or grid.height <= ROWS * tile:
            return picture
        buffer = io.BytesIO()
        grid.crop((0, 0, grid.width, ROWS * tile)).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


def main() -> None:
    """All of them; what is not needed of their reports goes. And the list of them."""
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    for run in RUNS:
        shrink(run)
        assert Ledger(loading.load(run.parent.name), run, retry=False).is_settled(), run
        report = ROOT / "reports" / run.parent.name / run.name
        for path in (*report.glob("plots/*"), report / "table.csv", report / "pairs.csv"):
            if path.relative_to(ROOT).as_posix() not in shown:
                path.unlink(missing_ok=True)
    (ROOT / "reports" / overview.NAME).write_text(listed(), encoding="utf-8")


def listed() -> str:
    """The list of what is committed, whatever else lies in the two folders here."""
    with tempfile.TemporaryDirectory() as folder:
        for run in RUNS:
            there = Path(folder, run.parent.name)
            there.mkdir()
            (there / run.name).symlink_to(ROOT / "reports" / run.parent.name / run.name)
        return overview.render(Path(folder), RUNS)


if __name__ == "__main__":
    main()
