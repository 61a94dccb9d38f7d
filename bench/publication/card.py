"""The data card of a published run: ``README.md`` as Hugging Face reads it, and the same as the folder's first page."""

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from bench.comparison.markdown import safe
from bench.publication.copying import left_behind
from bench.publication.data import Table
from bench.report import circumstances, page, wording
from bench.results import runs
from bench.words import counted, cut, few

_MOST = 60  # names, and reasons
_TABLES = {
    "table.csv": "model, target, data quality, metric, approach and data size: means and intervals over seeds",
    "pairs.csv": "two approaches held against each other",
    "across.csv": "approach and data size, across models and targets",
    "worth.csv": "what an approach is worth in from-scratch examples, steps and seconds",
}
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


class About(NamedTuple):
    """What only who publishes knows: whose it is, a licence's identifier, and where it will be; each may be empty."""

    by: str = ""
    license: str = ""
    url: str = ""


class Written(NamedTuple):
    """What lies in the folder beside the card.

    Attributes:
        tables: in ``data/``.
        samples: how many files with samples there are.
        digest: SHA-256 of the table of results.
    """

    tables: list[Table]
    samples: int
    digest: str


def markdown(found: runs.Found, about: About, written: Written, report: Path) -> str:
    """The card.

    Args:
        found: the published run.
        about: what who publishes it says.
        written: what lies beside it.
        report: the folder of its pages.
    """
    info, records = found.info, found.records
    ended = Counter(
        (record["happened"]["status"], record["happened"]["reason"])
        for record in records
        if record["happened"]["status"] != "ok"
    )
    # what is text of a suite or a person passes through `md`; all else here is ours
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - it is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = lambda text: safe(str(page.printable(str(text))))
    tables = {table.name for table in written.tables}
    return environment.get_template("card.md.jinja").render(
        front=yaml.safe_dump(_front(info, about, written), sort_keys=False, allow_unicode=True),
        suite=info["suite"],
        path=shlex.quote(f"results/{info['suite']}/RUN"),
        run=info["run"],
        description=info["description"],
        imported=bool(info.get("imported")),
        moment=wording.moment(info["started"]) if info["started"] else "at a time that is not known",
        by=about.by,
        license=about.license,
        report="report/index.html",
        across=(report / "across.html").exists(),
        measured=_measured(records, info["primary"]),
        tables=written.tables,
        report_tables=[(name, told) for name, told in _TABLES.items() if (report / name).exists()],
        samples=counted(written.samples, "file") if written.samples else "",
        asked=circumstances.asked(records),
        environment=circumstances.environment(info, records),
        cells=len(records),
        failed=sum(ended.values()),
        ended=_statuses(ended),
        unscored=sum(one["happened"]["status"] == "ok" and not one["happened"]["scores"] for one in records),
        failures=_reasons(ended),
        limits=_limits(found, tables),
        bibtex=_bibtex(info, about, written.digest, records),
    )


def html(card: str, title: str) -> str:
    """The first page of a published folder: the card without what only machines read."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(card.split("\n---\n", 1)[1])
    body = body.replace("<table>", '<div class="scroll"><table class="wrapped">').replace("</table>", "</table></div>")
    return (
        page.environment(Path(__file__).parent)
        .get_template("front.html.jinja")
        .render(title=title, body=Markup(page.printable(body)))  # noqa: S704 - HTML in it is escaped
    )


def _front(info: dict[str, Any], about: About, written: Written) -> dict[str, Any]:
    """What Hugging Face's dataset viewer and search read."""
    rows = max(table.rows for table in written.tables)
    return {
        **({"license": about.license} if about.license else {"license": "unknown"}),
        "pretty_name": f"{info['suite']}: transfer approaches compared",
        "tags": ["transferbench", "transfer-learning", "fine-tuning", "generative-models", "benchmark", "evaluation"],
        "size_categories": [next((name for most, name in _SIZES if rows < most), "10M<n<100M")],
        "configs": [
            {
                "config_name": table.name,
                **({"default": True} if not place else {}),
                "data_files": [{"split": "train", "path": f"data/{table.name}.parquet"}],
            }
            for place, table in enumerate(written.tables)
        ],
    }


def _measured(records: list[dict[str, Any]], primary: dict[str, str]) -> list[tuple[str, str]]:
    asked = [record["asked"] for record in records]
    pairs = [f"{one['model']} ({one['family'] or 'of another kind'}) → {one['target']}" for one in asked]
    metrics = [score["metric"] for record in records for score in record["happened"]["scores"]]
    families = {one["family"] for one in asked}
    ranking = [f"{metric} ({family})" if family else metric for family, metric in primary.items() if family in families]
    facts = {
        "Models and targets": _named(pairs),
        "Approaches and controls": _named([one["approach"] for one in asked]),
        "Training data": _named([one["data_quality"] for one in asked]),
        "Approaches are ranked by": ", ".join(ranking),
        "Metrics": _named(metrics),
        "Cells": f"{len(records)}, of which {sum(bool(one['happened']['scores']) for one in records)} have scores",
    }
    return [(name, value) for name, value in facts.items() if value and value != "clean"]


def _named(names: list[str]) -> str:
    return ", ".join(few(list(dict.fromkeys(names)), _MOST))


def _statuses(ended: "Counter[tuple[str, str]]") -> str:
    """``2 failed, 1 out of memory``."""
    of = Counter[str]()
    for (status, _), count in ended.items():
        of[status] += count
    return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in of.most_common())


def _reasons(ended: "Counter[tuple[str, str]]") -> list[tuple[str, str, int]]:
    """The most frequent ones, and all others together."""
    most = [(status.replace("_", " "), cut(reason, 300), count) for (status, reason), count in ended.most_common(_MOST)]
    rest = sum(ended.values()) - sum(count for _, _, count in most)
    return [*most, *([("otherwise", f"for {len(ended) - _MOST} other reasons, see results", rest)] if rest else [])]


def _limits(found: runs.Found, tables: set[str]) -> list[str]:
    """What a reader should not conclude."""
    seeds = len({record["asked"]["seed"] for record in found.records})
    lines = [
        "It holds for these models, domains, budgets and grids; it does not say how approaches rank on others.",
        f"{counted(seeds, 'seed')}: "
        + (
            "no interval, and nothing can be told apart."
            if seeds < 2
            else "what lies within the intervals over them cannot be told apart."
        ),
        "Seconds, bytes and watts belong to the machine that is named above.",
    ]
    if "items" not in tables:
        lines.append("Scores are not kept item by item, so comparisons cover seeds alone.")
    if behind := left_behind(found.info):
        lines.append(f"Not as in the run: {'; '.join(behind)}. Weights are not kept by a run.")
    return lines


def _bibtex(info: dict[str, Any], about: About, digest: str, records: list[dict[str, Any]]) -> str:
    versions = {(record["environment"].get("packages") or {}).get("transferbench") for record in records} - {None}
    note = f"transferbench {', '.join(sorted(map(str, versions)))}".strip()
    key = re.sub(r"[^a-z0-9]+", "_", f"{info['suite']}_{info['run']}".lower()).strip("_")
    entries = {
        "title": f"{{{_tex(info['suite'])}: transfer approaches compared (run {_tex(info['run'])})}}",
        **({"author": f"{{{_tex(about.by)}}}"} if about.by else {}),
        **(
            {"year": (info["finished"] or "")[:4]}
            if re.match(r"\d{4}-", info["finished"] or "") and not info.get("imported")
            else {}
        ),
        "note": f"{_tex(note)}; SHA-256 of data/results.parquet: {digest}",
        **({"url": about.url} if about.url else {}),
    }
    lines = [f"  {name} = {{{value}}}" for name, value in entries.items()]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}"


def _tex(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", re.sub(r"[\\{}`^~]", "", text))
