"""What only a process of its own can tell: whether torch and what goes with it can be imported, and what they see.

Such an import may fail in any way, a crash among them, and costs seconds and memory that this process keeps free.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench.running.doctor.finding import Finding

_PATIENCE = 90  # seconds; on a cold network disk torch takes a minute
_GIB = 2**30

_LOOK = """
import json, os, warnings
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import torch
    devices = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        about = torch.cuda.get_device_properties(number)
        try:
            free = torch.cuda.mem_get_info(number)[0]
        except Exception as error:
            free = str(error)
        devices.append([about.name, about.total_memory, free])
    said = {"torch": torch.__version__, "cuda": torch.version.cuda or torch.version.hip, "devices": devices}
    said |= {"mps": torch.backends.mps.is_available(), "warnings": [str(one.message) for one in caught]}
print(json.dumps(said), flush=True)
import torchvision
print(json.dumps({"torchvision": torchvision.__version__}), flush=True)
"""

_FORK = """
import multiprocessing
if __name__ == "__main__":
    task = multiprocessing.get_context("forkserver").Process(target=int)
    task.start()
    task.join(20)
    raise SystemExit(task.exitcode)
"""


def devices() -> Iterator[Finding]:
    """What networks are trained on here, and whether torch and torchvision go together."""
    ended, lines, said = _python(_LOOK)
    if not lines:
        mend = "install it anew: pip install --force-reinstall torch torchvision"
        yield Finding("fault", "devices", f"torch cannot be imported ({said})", mend)
        return
    found: dict[str, Any] = json.loads(lines[0])
    yield from _devices(found)
    if len(lines) < 2 or ended:
        one = "install both from one index: pip install --force-reinstall torch torchvision"
        mend = f"{one}, with the --index-url that torch came from, if any"
        yield Finding(
            "fault", "devices", f"torchvision cannot be imported beside torch {found['torch']} ({said})", mend
        )


def _devices(found: dict[str, Any]) -> Iterator[Finding]:
    """Finding of what torch sees, from what the process printed."""
    from bench.running import environment

    build = f"torch {found['torch']}"
    driver = f", driver {version}" if (version := environment.driver()) else ""
    for number, (name, whole, free) in enumerate(found["devices"]):
        has = f"cuda:{number} {name}, {whole / _GIB:.1f} GiB"
        if isinstance(free, str):
            said = f"{has}, cannot be used ({' '.join(free.split())[:150]})"
            yield Finding("fault", "devices", said, "see what nvidia-smi says, and who holds it")
        elif free < whole / 2:
            said = f"{has}, of which {free / _GIB:.1f} are free{driver}"
            yield Finding("note", "devices", said, "somebody else uses it: what does not fit ends as out_of_memory")
        else:
            yield Finding("ok", "devices", f"{has}, {free / _GIB:.1f} free{driver}; {build}")
    if found["devices"]:
        return
    if version and not found["cuda"]:
        mend = "install a torch with CUDA to use it (pytorch.org has the command)"
        yield Finding("fault", "devices", f"there is an NVIDIA GPU (driver {version}), and {build} is for CPUs", mend)
    elif version:
        said = " ".join(" ".join(found["warnings"]).split())[:200] or "torch sees none"
        mend = "update the driver, or install a torch for its CUDA; see CUDA_VISIBLE_DEVICES, too"
        yield Finding("fault", "devices", f"the NVIDIA GPU (driver {version}) cannot be used: {said}", mend)
    elif found["mps"]:
        yield Finding("note", "devices", f"cpu; {build}. Apple's GPU is there; nothing is trained on it")
    else:
        yield Finding("ok", "devices", f"cpu; {build}")


def fork_server() -> Iterator[Finding]:
    """Whether a process can be forked from a server, as every task of a run is."""
    ended, _, said = _python(_FORK)
    if ended:
        mend = "see limits on processes (ulimit -u), and whether the temp folder takes sockets (TMPDIR)"
        yield Finding(
            "fault", "workers", f"a process cannot be forked from a server ({said or f'it ended with {ended}'})", mend
        )
    else:
        yield Finding("ok", "workers", "processes start by way of a fork server")


def libraries() -> Iterator[Finding]:
    """Whether all that workers import can be imported, before a suite is to run: it takes a while."""
    ended, _, said = _python("import bench.running.execution")
    if ended:
        mend = "mend what `python -c 'import bench.running.execution'` says"
        yield Finding("fault", "libraries", f"what workers import cannot be imported ({said})", mend)
    else:
        yield Finding("ok", "libraries", "all that workers import can be imported")


def _python(code: str) -> tuple[int, list[str], str]:
    """How a process ended (0: well), the JSON lines it printed, and the last words it had on its way out."""
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        printed = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        return 1, _json(printed), f"it takes more than {_PATIENCE} seconds"
    words = [line for line in done.stderr.split("\n") if line.strip()]
    last = " ".join(words[-1].split())[:300] if words else f"signal {-done.returncode}" if done.returncode < 0 else ""
    return done.returncode, _json(done.stdout), last


def _json(printed: str) -> list[str]:
    """Whole lines of ours: libraries print, too, as they are imported."""
    return [line for line in printed.split("\n") if line.startswith("{") and line.endswith("}")]
