"""The card of an exported model: what it is, how it is loaded, and what the comparison says of it.

Its metadata are those of the Hugging Face hub, the figures in its ``model-index``.
"""

import html
import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from bench.report import aggregate, items, wording
from bench.results import runs, tidy

if TYPE_CHECKING:
    import pandas as pd

_CONFIDENCE = 0.95

_TASKS = {
    "transformers.AutoModelForCausalLM": "text-generation",
    "transformers.AutoModelForMaskedLM": "fill-mask",
    "transformers.AutoModelForSeq2SeqLM": "text2text-generation",
    "diffusers.DDPMPipeline": "unconditional-image-generation",
    "diffusers.StableDiffusionPipeline": "text-to-image",
}
"""What loads a model to what the hub calls what it does."""


def make(found: runs.Found, record: dict[str, Any], made: dict[str, Any], base: str) -> str:
    """The card as Markdown, its metadata in front.

    Args:
        found: the run.
        record: of the cell.
        made: what was written (:func:`bench.running.export.writing.write`).
        base: name of the pretrained model on the hub; empty where it is not from there.
    """
    figures = _figures(found, record)
    about = _metadata(record, made, base, figures)
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n\n" + "\n".join(_lines(found, record, made, base, figures)) + "\n"


def _figures(found: runs.Found, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Each quality score of the cell, with the mean over seeds of its approach and of the controls, and intervals."""
    asked = record["asked"]
    pair = [one for one in found.records if all(one["asked"][key] == asked[key] for key in ("model", "target"))]
    frame = aggregate.in_every_quality(tidy.table(pair))
    summary = aggregate.summarise(frame, _CONFIDENCE, items=items.of_run(found))
    alike = summary[(summary["data_quality"] == asked["data_quality"]) & (summary["data_size"] == asked["data_size"])]
    figures = []
    for score in record["happened"]["scores"]:
        if score["value"] is None or aggregate.is_cost(score["metric"], score["unit"]):
            continue
        here = alike[alike["metric"] == score["metric"]]
        mine = here[here["approach"] == asked["approach"]]
        controls = here[here["control"].isin(["zero_shot", "from_scratch"]) & (here["approach"] != asked["approach"])]
        figures.append(
            score
            | {"over_seeds": _mean(mine.iloc[0]) if len(mine) else {}}
            | {"controls": {row["control"]: _mean(row) for _, row in controls.iterrows()}}
        )
    return figures


def _mean(row: "pd.Series[Any]") -> dict[str, Any]:
    """A mean over seeds, with its interval where there is one."""
    mean, half = float(row["mean"]), float(row["half_width"])
    told: dict[str, Any] = {"mean": mean, "seeds": int(row["seeds"])}
    if math.isfinite(half):
        told |= {"interval": [mean - half, mean + half], "confidence": _CONFIDENCE, "covers": str(row["covers"])}
    return told


def _metadata(record: dict[str, Any], made: dict[str, Any], base: str, figures: list[dict[str, Any]]) -> dict[str, Any]:
    asked = record["asked"]
    task = _TASKS.get(made["reader"], asked["modality"])
    about: dict[str, Any] = {}
    if made["reader"]:
        about["library_name"] = "peft" if made["kind"] == "adapter" else made["reader"].partition(".")[0]
    if base:
        about |= {"base_model": base, "base_model_relation": "adapter" if made["kind"] == "adapter" else "finetune"}
    if made["reader"] in _TASKS:
        about["pipeline_tag"] = task
    about["tags"] = ["transferbench", *asked["options"]]
    metrics = [_metric(figure, asked) for figure in figures]
    data = {"name": f"{asked['target']} (test split)", "type": asked["target"], "split": "test"}
    results = [{"task": {"type": task}, "dataset": data, "metrics": metrics}]
    about["model-index"] = [{"name": record["cell"], "results": results if metrics else []}]
    return about


def _metric(figure: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """A score as ``model-index`` has it; what else is known of it stands in its ``args``."""
    args: dict[str, Any] = {"n": figure["n"], "seed": asked["seed"], "better": figure["better"]}
    args |= {"unit": figure["unit"]} if figure["unit"] else {}
    args |= {"standard_error": figure["error"]} if figure["error"] is not None else {}
    args |= {"over_seeds": figure["over_seeds"]} if figure["over_seeds"] else {}
    args |= {"controls": figure["controls"]} if figure["controls"] else {}
    return {"type": figure["metric"], "name": figure["metric"], "value": figure["value"], "args": args}


def _lines(
    found: runs.Found, record: dict[str, Any], made: dict[str, Any], base: str, figures: list[dict[str, Any]]
) -> Iterator[str]:
    asked, environment = record["asked"], record["environment"]
    yield f"# {_plain(asked['approach'])} of {_plain(asked['model'])} on {_plain(asked['target'])}"
    yield ""
    yield from _what(made, asked)
    yield ""
    yield "## Load it"
    yield ""
    yield "```python"
    yield from _code(made, asked["definition"]["model"], base)
    yield "```"
    yield ""
    apart = f"largest difference {made['difference']:.1g} of the largest output" if made["difference"] else "equal"
    rows = f"{made['rows']} row{'s' * (made['rows'] != 1)}"
    yield (
        f"Loaded again after it was written, its outputs on {rows} of the validation split were those of the model "
        f"that was trained and scored ({apart}; loss {made['loss']:.6g})."
    )
    yield ""
    yield "## What it scored"
    yield ""
    yield from _table(figures, asked)
    yield ""
    yield "## How it was trained"
    yield ""
    yield f"- pretrained model: {_base(asked, base)}"
    size = f"{asked['data_size']} examples" if asked["data_size"] else "no data"
    quality = "" if asked["data_quality"] == "clean" else f" ({asked['data_quality']})"
    yield f"- data: {_plain(asked['target'])}, {size}{quality}, seed {asked['seed']}"
    yield f"- approach: `{json.dumps(asked['options'], sort_keys=True)}`"
    if chosen := record["happened"]["chosen"]:
        yield f"- chosen on the validation split: `{json.dumps(chosen, sort_keys=True)}`"
    precision = environment.get("precision") or "fp32"
    device = environment.get("accelerator") or environment.get("device") or "unknown device"
    yield f"- trained on {_plain(str(device))} in {precision}; the weights here are float32, as training kept them"
    packages = environment.get("packages", {})
    named = [
        f"{name} {packages[name]}" for name in ("torch", "transformers", "peft", "diffusers") if packages.get(name)
    ]
    if named:
        yield f"- with {', '.join(named)}"
    yield f"- suite {_plain(str(found.info['suite']))}, run {_plain(str(found.info['run']))}, cell `{record['cell']}`"
    yield ""
    yield "The licences of the pretrained model and of the data hold for it; this card states none of its own."


def _what(made: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    count = wording.number(made["parameters"], 0)
    if made["kind"] == "adapter":
        yield f"A PEFT adapter ({made['method']}, {count} numbers, float32), which stands beside its pretrained model."
    elif made["kind"] == "merged":
        yield f"Whole weights ({count}, float32), what the approach put beside them merged into them."
    else:
        yield f"Whole weights ({count}, float32)."
    if made["instead"]:
        yield f"It is no PEFT adapter by itself: {_plain(made['instead'])}."
    if made["warning"]:
        yield f"**Mind:** {_plain(made['warning'])}."
    if not made["reader"]:
        yield f"No other library has this kind of network: transferbench's family `{asked['family']}` loads it."


def _code(made: dict[str, Any], model: dict[str, Any], base: str) -> Iterator[str]:
    """How it is loaded by the library's own means."""
    library, _, kind = made["reader"].rpartition(".")
    if not made["reader"]:
        family = model["family"]
        yield "from bench import plugins"
        yield ""
        yield f'family = plugins.find("families", "{family}").load()'
        options = _one_line(repr(model["options"]))
        yield f'model = family.from_checkpoint("FOLDER", revision=None, trust_remote_code=False, **{options})'
        return
    part = f', subfolder="{made["part"]}"' if made["part"] else ""
    if made["kind"] == "adapter":
        where = f'"{base}"' if base else '"FOLDER/base"' if made["base"] == "base" else '"BASE"  # its folder'
        yield "from peft import PeftModel"
        yield f"from {library} import {kind}, {made['tokenizer'].rpartition('.')[2]}"
        yield ""
        revision = f', revision="{model["revision"]}"' if base and model.get("revision") else ""
        if where.endswith("# its folder"):
            yield f"base = {where.replace('  # its folder', '')}  # the folder of {_one_line(made['base'])}"
            where = "base"
        yield f'model = {kind}.from_pretrained({where}{revision}, dtype="float32")'
        yield 'model = PeftModel.from_pretrained(model, "FOLDER")'
    else:
        also = f", {made['tokenizer'].rpartition('.')[2]}" if made.get("tokenizer") else ""
        yield f"from {library} import {kind}{also}"
        yield ""
        trusted = ", trust_remote_code=True" if model.get("trust_remote_code") else ""
        yield f'model = {kind}.from_pretrained("FOLDER"{part}{trusted})'
    if made.get("tokenizer"):
        yield f'tokenizer = {made["tokenizer"].rpartition(".")[2]}.from_pretrained("FOLDER")'


def _table(figures: list[dict[str, Any]], asked: dict[str, Any]) -> Iterator[str]:
    if not figures:
        yield "Nothing: its suite asked for no score of quality."
        return
    controls = list(dict.fromkeys(name for figure in figures for name in figure["controls"]))
    heads = ["metric", "better", f"this model (seed {asked['seed']})", "n", "mean of seeds", *controls]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for figure in figures:
        error = f" (standard error {_number(figure['error'])})" if figure["error"] is not None else ""
        unit = f" {figure['unit']}" if figure["unit"] else ""
        cells = [f"{figure['metric']}{unit}", figure["better"], f"{_number(figure['value'])}{error}", str(figure["n"])]
        cells += [_interval(figure["over_seeds"]), *(_interval(figure["controls"].get(name, {})) for name in controls)]
        yield f"| {' | '.join(map(_plain, cells))} |"
    yield ""
    yield "Intervals are of 95 % over seeds and, where they are known, test items; n counts what a value rests on."


def _interval(told: dict[str, Any]) -> str:
    if not told:
        return ""
    between = f" [{_number(told['interval'][0])}, {_number(told['interval'][1])}]" if "interval" in told else ""
    return f"{_number(told['mean'])}{between}, {told['seeds']} seed{'s' * (told['seeds'] != 1)}"


def _number(value: float) -> str:
    return f"{value:.5g}"


def _base(asked: dict[str, Any], base: str) -> str:
    model = asked["definition"]["model"]
    if base:
        return f"[{base}](https://huggingface.co/{base})"
    if model.get("recipe"):
        return f"{_plain(asked['model'])}, pretrained on {_plain(asked['source'])} by its suite's recipe"
    return f"{_plain(asked['model'])}, a folder (`{_one_line(str(model.get('checkpoint')))}`)"


def _one_line(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _plain(text: str) -> str:
    """A text in which Markdown and HTML find nothing to do."""
    escaped = html.escape(_one_line(text), quote=False)
    return "".join(f"\\{letter}" if letter in "|*_[]#\\" else letter for letter in escaped)
