"""Options that several verbs share: data, features, recipe; and the progress bars."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.recipe import Recipe


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Where corpora and stores are, and which features are read."""
    data = parser.add_argument_group("data")
    data.add_argument("--stores", type=Path, help="folder of the stored features (default: ./stores)")
    data.add_argument("--data-root", type=Path, help="folder of the corpora (default: the variable MSADG_DATA)")
    data.add_argument("--labels", choices=["round", "sign"], help="how polarity becomes a class (default: round)")
    data.add_argument(
        "--text",
        metavar="ENCODER",
        help="text features: minilm (offline), electra, or any Hugging Face encoder; minilm:layer=4 is its 4th layer",
    )
    data.add_argument(
        "--video",
        metavar="EXTRACTOR",
        help="video features: hog (offline), vggface2, openface, facet, with options as in hog:rate=10; auto "
        "(vggface2 where its weights were downloaded, else hog); or simulated, also as in "
        "simulated:redundancy=0.25 (says so in every table)",
    )
    data.add_argument(
        "--audio",
        metavar="EXTRACTOR",
        help="audio features: logmel, acoustic, speech:model=wav2vec2; or simulated, with the same option as video "
        "(says so in every table)",
    )


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recipe, and changes on top of it."""
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument(
        "--recipe", default="quick", help="name (quick, paper, ...) or path of a TOML file; default: quick"
    )
    recipe.add_argument(
        "--task",
        choices=["classification", "regression"],
        help="predict the class, or polarity in [-3, 3] (default: the recipe's; classification)",
    )
    recipe.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe: training.epochs=5, methods.s2lif.order=text, selection=oracle; may be repeated",
    )


def choose_video(arguments: argparse.Namespace) -> None:
    """Put an extractor's name in the place of ``--video auto``, and say which."""
    if arguments.video is None:
        return
    from msadg.extraction.catalog import chosen_video

    chosen = chosen_video(arguments.video)
    if chosen != arguments.video:
        downloaded = "were not downloaded" if chosen.startswith("hog") else "are here"
        print(f"--video {arguments.video} is {chosen}: the weights of vggface2 {downloaded}", file=sys.stderr)
        arguments.video = chosen


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe with the changes of ``--set`` and of the data options."""
    choose_video(arguments)
    from msadg.protocols.recipe import load_recipe

    changes = list(arguments.set)
    for key in ("stores", "data_root"):
        value = getattr(arguments, key)
        if value is not None:
            changes.append(f"data.{key}={_quoted(str(value.resolve()))}")
    if arguments.task:
        changes.append(f"task={_quoted(arguments.task)}")
    if arguments.labels:
        changes.append(f"data.labels={_quoted(arguments.labels)}")
    named = {modality: getattr(arguments, modality) for modality in ("text", "audio", "video")}
    changes += [f"data.features.{modality}={_quoted(name)}" for modality, name in named.items() if name]
    return load_recipe(arguments.recipe, changes)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_seeds(text: str) -> list[int]:
    """Seeds from a count ("5" is 0 to 4) or a list ("0,3,7").

    Raises:
        UsageError: neither, or a seed twice.

    Example:
        >>> parse_seeds("3"), parse_seeds("7,9")
        ([0, 1, 2], [7, 9])
    """
    try:
        numbers = [int(part) for part in text.split(",") if part]
    except ValueError:
        raise UsageError(f"--seeds {text!r}: expected how many (5) or which (0,3,7)") from None
    if not numbers or min(numbers) < 0 or ("," not in text and numbers[0] == 0):
        raise UsageError(f"--seeds {text!r}: expected at least one seed, 0 or more")
    twice = sorted({seed for seed in numbers if numbers.count(seed) > 1})
    if twice:
        raise UsageError(f"--seeds {text!r}: {', '.join(map(str, twice))} is named twice; name each seed once")
    return numbers if "," in text else list(range(numbers[0]))


def splits_of(arguments: argparse.Namespace, targets: Sequence[str] = ()) -> list[DomainSplit]:
    """The choices of domains that --source (with these targets), --leave-one-out or --settings name; all settings."""
    from msadg.protocols.domains import SETTINGS, leave_one_out, paper_setting, split_domains

    if arguments.source:
        return [split_domains(arguments.source, targets)]
    if arguments.leave_one_out:
        return leave_one_out(arguments.leave_one_out)
    names = arguments.settings or ["all"]
    return [paper_setting(name) for name in (SETTINGS if names == ["all"] else names)]


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A rich progress bar on standard error that counts, and says how long is left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class TimeLeftColumn(TimeRemainingColumn):
        """Of a grid, by the runs done since its start; else by rich's estimate."""

        def render(self, task: Task) -> Text:
            left = time_left(task) if "before" in task.fields else None
            return super().render(task) if left is None else Text(_told(left), style="progress.remaining")

    # The note gives way in a narrow terminal, the numbers do not.
    note = TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
    numbers = (TextColumn("{task.description}", table_column=Column(no_wrap=True)), BarColumn(bar_width=16))
    times = (MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeLeftColumn(compact=True))
    # The rate is that of the last half hour: clips that take a minute each have one too.
    period = 1800.0
    bar = Progress(*numbers, *times, note, console=Console(stderr=True), expand=True, speed_estimate_period=period)
    with bar as progress:
        yield progress


def time_left(task: Task) -> float | None:
    """Seconds that what is left will take; None where nothing can be said yet.

    Of a task with ``before`` among its fields, what was done before it began, at the speed since then. Rich's own
    estimate goes by the time between updates, and of runs that work side by side the first two end almost together.
    """
    if "before" not in task.fields:
        return task.time_remaining
    done = task.completed - task.fields["before"]
    if task.total is None or task.elapsed is None or done <= 0:
        return None
    return float(task.elapsed * (task.total - task.completed) / done)


def _told(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))


def tell_line(progress: Progress, task: TaskID) -> None:
    """Where a bar cannot be drawn, as in a batch job's log, print what it would show, as a line."""
    if progress.console.is_terminal:
        return
    shown = next(one for one in progress.tasks if one.id == task)
    left = time_left(shown)
    said = "" if left is None else f", {_told(left)} left"
    progress.console.print(
        f"{shown.description} {shown.completed:.0f}/{shown.total:.0f}{said}: {shown.fields['note']}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


@contextmanager
def told_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what moves a bar on standard error, with clips a second and the time left.

    A bar that never moved is taken away when the block ends by an error: it has nothing to say.
    """
    with progress_bar() as bar:
        task = bar.add_task(title, total=None, note="")

        def progress(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, note=_rate(speed) if speed else "")

        try:
            yield progress
        except BaseException:
            if bar.tasks[0].total is None:
                bar.remove_task(task)
            raise


def _rate(clips_per_second: float) -> str:
    return f"{clips_per_second:,.0f} clips/s" if clips_per_second >= 10 else f"{clips_per_second:.2f} clips/s"
