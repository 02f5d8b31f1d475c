"""MMSA, the reference of the baselines' benchmarks: installed on demand, into a virtual environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

VERSION = "2.2.1"
ROOT = Path(__file__).parents[1]


def environment() -> Path:
    """Folder of the virtual environment, in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "msadg" / "benchmarks" / f"mmsa-{VERSION}"


def python_with_mmsa() -> Path:
    """The interpreter that can import MMSA; the first call installs it, with the versions of constraints.txt.

    Raises:
        subprocess.CalledProcessError: it cannot be installed; the error's ``stderr`` says why.
    """
    python = environment() / "bin" / "python"
    if not (python.exists() and _works(python)):
        print(f"  installing MMSA {VERSION} into {environment()}", flush=True)
        install = ["-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), f"MMSA=={VERSION}"]
        for command in ([sys.executable, "-m", "venv", str(environment())], [str(python), *install]):
            subprocess.run(command, check=True, capture_output=True, text=True)
    return python


def _works(python: Path) -> bool:
    found = subprocess.run([python, "-c", "import importlib.metadata as m; m.version('MMSA')"], capture_output=True)
    return found.returncode == 0
