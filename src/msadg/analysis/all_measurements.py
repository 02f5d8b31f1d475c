"""Every measurement that ``msadg analyse`` makes, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from msadg.errors import MsadgError

if TYPE_CHECKING:
    from msadg.analysis.measurement import Measurement
    from msadg.protocols.run import TrainedRun

CASES = "msadg.analysis.case_table:measure"
MEASURED_BY: tuple[str, ...] = (
    "msadg.analysis.selected_features:measure",
    "msadg.analysis.selection_overlap:measure",
    "msadg.analysis.keep_ratio:measure",
    "msadg.analysis.dependence:measure_across",
    "msadg.analysis.dependence:measure_within",
    "msadg.analysis.label_dependence:measure",
    "msadg.analysis.label_dependence:measure_shares",
    CASES,
    "msadg.analysis.recovery_table:measure",
    "msadg.analysis.recovery_order:measure",
    "msadg.analysis.faithfulness:measure",
    "msadg.analysis.calibration:measure",
    "msadg.analysis.temperature:measure",
    "msadg.analysis.coverage:measure",
    "msadg.analysis.shift_errors:measure",
)
"""``module:function``, imported when it is called; each takes trained runs and returns a Measurement, or None where
nothing of the kind could be measured of any of them."""


def measure(
    runs: Sequence[TrainedRun],
    fail: Callable[[str], None],
    tell: Callable[[str], None] = lambda _: None,
    *,
    skip: Sequence[str] = (),
) -> Iterator[Measurement]:
    """Every measurement that these runs allow, one after the other.

    Whatever one fails of, be it a fault of this package, the others are made: minutes of work are not lost with it.

    Args:
        runs: what is measured.
        fail: told which measurement could not be made, and why.
        tell: told which is about to be made.
        skip: of ``MEASURED_BY``, those that are left out.
    """
    for path in MEASURED_BY:
        if path in skip:
            continue
        tell(plainly(path))
        module, _, name = path.partition(":")
        try:
            found: Measurement | None = getattr(import_module(module), name)(runs)
        except (MsadgError, OSError) as error:
            fail(f"{plainly(path)}: {error}")
        except Exception as error:
            fail(
                f"{plainly(path)}: not made, by a fault of msadg ({type(error).__name__}: {error}); please report it, "
                "with the runs' settings"
            )
        else:
            if found is not None:
                yield _with_simulated_named(found, runs)


def _with_simulated_named(found: Measurement, runs: Sequence[TrainedRun]) -> Measurement:
    """A measurement whose caption and alternative text say which features were drawn from the labels."""
    from msadg.analysis.stress_curves import label_of
    from msadg.extraction.simulated_options import is_simulated

    shown = set(found.table["row"]) if "row" in found.table else None
    rows: dict[str, dict[str, None]] = {}
    for run in runs:
        row, features = label_of(run.experiment), run.experiment.data.features
        for modality in run.method.modalities:
            if is_simulated(features[modality]) and (shown is None or row in shown):
                rows.setdefault(modality, {})[row] = None
    if not rows:
        return found
    of_rows = "; ".join(f"{modality} of {', '.join(names)}" for modality, names in rows.items())
    said = f"Simulated, drawn from the labels: {of_rows}."
    return replace(found, caption=f"{found.caption} {said}", alternative=f"{found.alternative} {said}")


def plainly(path: str) -> str:
    """What a measuring function is called for people.

    Example:
        >>> plainly("msadg.analysis.label_dependence:measure_shares")
        'label dependence, shares'
    """
    module, _, name = path.rpartition(".")[2].partition(":")
    return ", ".join(part for part in (module.replace("_", " "), name.removeprefix("measure").strip("_")) if part)
