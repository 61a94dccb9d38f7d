"""Whether a checkpoint's weights are those of the network that its config describes, as its library saw it loading.

Imports no torch.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any

SAID = {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
"""What ``from_pretrained`` of transformers and diffusers is called with to say it, rather than to raise."""

_AGAIN = "set the sizes in its config.json to those of its weights, or save both again (save_pretrained)"


def fault(info: Mapping[str, Any], whose: str = "it", spare: Container[str] = ()) -> str:
    """What is wrong with weights, and the remedy; empty where each has its place, and each place its weight.

    Args:
        info: what ``from_pretrained`` said of them.
        whose: they are: "it", or "its unet".
        spare: those that may be there for nothing, such as the head for another task.
    """
    its = f"{whose}'s" if whose != "it" else "its"
    if changed := sorted(info["mismatched_keys"], key=lambda entry: str(entry[0])):
        name, there, wanted = changed[0]
        beside = f"{_sides(there)} in its file and {_sides(wanted)} by its config.json"
        return f"{its} {name} is {beside}{_more(changed)}; {_AGAIN}"
    if missing := sorted(info["missing_keys"]):
        return f"{whose} has no weights for {missing[0]}{_more(missing)}; name a complete one"
    if unused := sorted(name for name in info["unexpected_keys"] if name not in spare):
        count = f"{len(unused)} weights have" if len(unused) > 1 else "one weight has"
        return f"{count} no place in the network of {its} config.json ({unused[0]}); {_AGAIN}"
    return ""


def _sides(shape: Iterable[int]) -> str:
    return "×".join(str(int(side)) for side in shape) or "one number"


def _more(names: list[Any]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
