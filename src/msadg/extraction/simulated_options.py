"""Simulated features by name, as a recipe or a command line has them: ``simulated``, ``simulated:redundancy=0.25``."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from msadg.errors import UsageError
from msadg.extraction.catalog import ExtractorSpec
from msadg.extraction.simulated_truth import SimulationConfig
from msadg.settings import settings_from

SIMULATED = "simulated"
"""Extractor name, of any modality, of the simulated features of METHODS 7."""


@dataclass(frozen=True, kw_only=True)
class SimulatedOptions:
    """What can be chosen of the world by name; the rest is as in ``SimulationConfig``."""

    redundancy: float = SimulationConfig.redundancy
    """Share of the invariant features, in [0, 1], that repeat what text carries; of audio and video."""


def is_simulated(name: str) -> bool:
    """Whether an extractor's name, with or without options, is that of simulated features.

    Example:
        >>> is_simulated("simulated"), is_simulated("simulated:redundancy=1"), is_simulated("minilm")
        (True, True, False)
    """
    return name.partition(":")[0].strip() == SIMULATED


def simulation_named(modality: str, name: str) -> SimulationConfig:
    """The world that the name of a modality's simulated features means.

    Raises:
        SettingsError: an option that there is not, or one out of range.
        UsageError: an option without value, or of text, which has none.
    """
    options = dict(ExtractorSpec.parse(modality, name).options)
    if options and modality == "text":
        raise UsageError(
            f"text {name!r}: simulated text has no options, it is what audio and video repeat; give "
            f"{', '.join(options)} to them: video = {name!r}"
        )
    where = f"{modality} extractor {name!r}"
    chosen = settings_from(SimulatedOptions, options, where=where)
    return settings_from(SimulationConfig, asdict(chosen), where=where)


def simulated_folder(modality: str, name: str) -> str:
    """Name of the folder of its store.

    Example:
        >>> simulated_folder("video", "simulated"), simulated_folder("video", "simulated:redundancy=0.25")
        ('video-simulated', 'video-simulated-redundancy=0.25')
    """
    return ExtractorSpec.parse(modality, name).folder
