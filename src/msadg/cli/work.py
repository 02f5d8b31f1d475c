"""Options of the verbs that run a grid: who works on it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msadg.protocols.grid_engines import GridEngine


def add_work_arguments(parser: argparse.ArgumentParser) -> None:
    """How many runs at a time, and where."""
    work = parser.add_argument_group("work")
    work.add_argument("--jobs", type=int, metavar="N", help="runs at a time (default: one for each core)")
    work.add_argument("--engine", choices=("local", "ray"), default="local", help="processes here, or a Ray cluster")
    work.add_argument(
        "--ray-address", metavar="ADDRESS", help="cluster to join: auto, ray://host:10001 (default: start one here)"
    )
    work.add_argument(
        "--gpus-per-run", type=float, metavar="NUMBER",
        help="that each run sees (default: 1, in turn); with --engine ray also a share: 0.25 puts four runs on each",
    )  # fmt: skip


def engine_of(arguments: argparse.Namespace) -> GridEngine:
    """The engine that was asked for.

    Raises:
        UsageError: options that do not go together, or Ray is not installed.
    """
    from msadg.protocols.grid_engines import make_grid_engine

    return make_grid_engine(
        arguments.engine,
        num_jobs=arguments.jobs,
        address=arguments.ray_address,
        gpus_per_run=arguments.gpus_per_run,
    )
