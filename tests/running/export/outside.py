"""Run by a process that cannot import bench: load what was exported, and say the same to it as was said to the model.

``python outside.py CASES.json``; prints one line of JSON: case to the largest difference, or to what went wrong.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(cases: dict[str, dict[str, Any]]) -> dict[str, float | str]:
    import torch

    found: dict[str, float | str] = {}
    for name, case in cases.items():
        try:
            loaded, calls = load(case), torch.load(case["calls"], weights_only=True)
            worst = 0.0
            for path, args, kwargs, told in calls:
                module = loaded
                for part in path.split(".") if path else ():
                    module = getattr(module, part)
                with torch.no_grad():
                    said = first(module.eval()(*args, **kwargs))
                worst = max(worst, float((said - told).abs().max() / told.abs().max()))
            found[name] = worst
            if case["tokenizer"]:
                tokenizer = kind(case["tokenizer"]).from_pretrained(case["folder"])
                read = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in case["texts"]]
                assert read == case["tokens"], f"{read} is not {case['tokens']}"
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def kind(name: str) -> Any:
    library, _, of = name.rpartition(".")
    return getattr(importlib.import_module(library), of)


def load(case: dict[str, Any]) -> Any:
    part = {"subfolder": case["part"]} if case["part"] else {}
    if case["kind"] != "adapter":
        return kind(case["reader"]).from_pretrained(case["folder"], **part)
    from peft import PeftModel

    base = case["base"] if case["base"] != "base" else Path(case["folder"]) / "base"
    return PeftModel.from_pretrained(kind(case["reader"]).from_pretrained(base, dtype="float32"), case["folder"])


def first(output: Any) -> Any:
    """The one tensor that matters of an output."""
    for name in ("logits", "sample", "last_hidden_state"):
        if hasattr(output, name):
            return getattr(output, name)
    return output


if __name__ == "__main__":
    sys.modules["bench"] = None  # type: ignore[assignment]
    try:
        import bench
    except ImportError:
        print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
    else:
        raise SystemExit(f"{bench} can be imported")
