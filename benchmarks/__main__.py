"""Benchmarks, one after the other: all of them, or those that are named (`python -m benchmarks analysis baselines`).

Each prints its ratios to a reference and its bounds. `python -m benchmarks.NAME --help` shows the options of one.
"""

import argparse
from importlib import import_module

NAMES = (
    "command",
    "training",
    "limits",
    "finetuning",
    "fusion",
    "baselines",
    "store",
    "analysis",
    "decode",
    "faces",
    "video",
    "extraction",
)
WITH_OPTIONS = ("store", "video", "extraction")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    for name in (names := parser.parse_args().names):
        if name not in NAMES:
            parser.error(f"there is no benchmark {name}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        main = import_module(f"benchmarks.{name}").main
        main([]) if name in WITH_OPTIONS else main()
