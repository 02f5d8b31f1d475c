"""The command ``msadg``: one file a verb; each parses, calls and prints. Heavy imports wait until a verb runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence

from msadg.errors import MsadgError, MsadgWarning

VERBS = (
    "demo",
    "data",
    "extract",
    "inspect",
    "train",
    "evaluate",
    "benchmark",
    "tune",
    "report",
    "archive",
    "restore",
    "stress",
    "analyse",
    "predict",
)
"""In the order in which one meets them; each is a module of this package."""

GOES_ON = {"demo", "extract", "train", "benchmark", "tune", "restore", "analyse"}
"""Those that keep what they had finished when they are stopped."""

DESCRIPTION = """\
Domain-generalised multimodal sentiment analysis: train on some corpora, score on one never seen.

  msadg demo                                  the whole way on the embedded corpus, in a few minutes
  msadg data check mosi mosei meld            class counts against the data cards
  msadg inspect stores                        what was extracted; with a clip, a picture of it
  msadg train --source mosei --target meld    one run; see also --recipe and --set
  msadg benchmark --settings all -o results   a grid of methods, settings and seeds; resumable
  msadg tune --settings all -o tuned          settings by random search: equal budgets, sources alone decide
  msadg report results                        its tables
  msadg archive results                       its runs in one small file to publish; msadg restore is the way back
  msadg stress runs/first                     how far predictions move when frames are dropped, noised ...
  msadg analyse runs/first                    which features it selects, and what they depend on
  msadg predict runs/first --video clip.mp4   what a run says of your own clip, and why"""


def parser() -> argparse.ArgumentParser:
    """The command-line parser, built from the verbs' modules."""
    top = argparse.ArgumentParser(
        prog="msadg",
        description=DESCRIPTION,
        epilog="Data: set MSADG_DATA to the folder that holds mosi/, mosei/, meld/.\n"
        "Exit status: 0 done, 1 failed, 2 asked for something that cannot be.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    for verb in VERBS:
        module = importlib.import_module(f"msadg.cli.{verb}")
        lines = (module.__doc__ or "").strip().split("\n", 1)
        summary = lines[0].partition(": ")[2] or lines[0]
        sub = verbs.add_parser(
            verb,
            help=summary.rstrip("."),
            description=summary + ("\n" + lines[1] if len(lines) > 1 else ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    arguments = parser().parse_args(argv)
    if arguments.version:
        from msadg import __version__

        print(f"msadg {__version__}")
        return 0
    if arguments.verb is None:
        parser().print_help()
        return 2
    warnings.showwarning = _shown_once()
    try:
        status: int = arguments.run(arguments)
    except MsadgError as error:
        print(f"msadg {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        again = "the same command with --resume goes on" if arguments.verb == "train" else "the same command goes on"
        kept = f"; what was finished is saved, {again}" if arguments.verb in GOES_ON else ""
        print(f"msadg {arguments.verb}: stopped{kept}", file=sys.stderr)
        return 130
    except FileExistsError as error:
        what = "is there already, as a file; name a folder, which is made if there is none"
        print(f"msadg {arguments.verb}: {error.filename} {what}", file=sys.stderr)
        return 1
    except (PermissionError, NotADirectoryError, IsADirectoryError) as error:
        print(f"msadg {arguments.verb}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `msadg report ... | head`: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


_default_showwarning = warnings.showwarning


def _shown_once() -> Callable[..., None]:
    """Print each of our warnings once in a command: what is said of a corpus is met again with every run on it."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
        if not issubclass(category, MsadgWarning):
            _default_showwarning(message, category, *rest)  # type: ignore[arg-type]
        elif str(message) not in told:
            told.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    return show
