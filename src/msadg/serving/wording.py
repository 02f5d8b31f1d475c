"""What a verdict says of what it did not read, in plain sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msadg.extraction.extractor import Loss
from msadg.serving.scoring import Plan
from msadg.types import MODALITIES, Clip

UNREADABLE = ("open", "decode", "time", "sound", "transcript")
"""Stages at which a file could not be read; at the others it was, and showed nothing of use."""

TRAIN_ONE = '`msadg train --set "methods.s2lif.order=text>audio>video"`'


def listed(names: Collection[str]) -> str:
    """Names as a phrase, modalities in their order.

    Example:
        >>> listed(["video", "text"]), listed(["video", "text", "audio"])
        ('text and video', 'text, audio and video')
    """
    *most, last = sorted(names, key=lambda name: MODALITIES.index(name) if name in MODALITIES else len(MODALITIES))
    return f"{', '.join(most)} and {last}" if most else last


def given_by_hand(clips: Mapping[str, Clip]) -> list[str]:
    """The modalities that someone gave: a video's own sound is not one of them."""
    sound, video = clips.get("audio"), clips.get("video")
    is_own_sound = sound is not None and video is not None and sound.clip_path == video.clip_path
    return [modality for modality in MODALITIES if modality in clips and not (modality == "audio" and is_own_sound)]


def nothing_to_read(reads: Collection[str], simulated: Collection[str], given: Collection[str]) -> str:
    """The sentence for a clip that has nothing of what a run reads.

    Args:
        reads: the run's modalities.
        simulated: those of them that were simulated in training.
        given: what was given.
    """
    but = f", of which {listed(simulated)} was simulated in training and is read from no clip" if simulated else ""
    if not given:
        return f"this run reads {listed(reads)}{but}, and nothing was given; give {_what_would_do(reads, simulated)}"
    others = [modality for modality in given if modality not in simulated] or given
    train = f"train a run that reads {listed(others)} too, for example with {TRAIN_ONE}"
    return (
        f"this run reads {listed(reads)}{but}, and was given only {listed(given)}: "
        f"give {_what_would_do(reads, simulated)}, or {train}"
    )


def _what_would_do(reads: Collection[str], simulated: Collection[str]) -> str:
    return " or ".join(m for m in MODALITIES if m in reads and m not in simulated) or "its own corpora's clips"


def how_without(plan: Plan, num_fillings: int, *, has_dropout: bool) -> str:
    """One sentence on how what is missing was done without; "" where nothing is.

    Args:
        plan: of the clip.
        num_fillings: clips of the sources that were averaged over.
        has_dropout: whether clips lost modalities in training.
    """
    if plan.fallback == "stage":
        return f"the verdict is that of the run's own stage that reads {listed(plan.read)} only"
    if plan.fallback == "dropout":
        return f"the run went without {listed(plan.missing)}, as it learned to: in training, clips lost one modality"
    if plan.fallback is None:
        return ""
    one = num_fillings == 1
    told = (
        f"the verdict is the mean over {num_fillings} clip{'' if one else 's'} of the sources, "
        f"whose {listed(plan.missing)} stood in for what is missing"
    )
    if has_dropout and len(plan.missing) > 1:
        told += "; in training, clips lost one modality and never two, so the run has not learned to go without both"
    return told


def not_read(clips: Mapping[str, Clip], missing: Mapping[str, Loss]) -> Iterator[str]:
    """A sentence for each thing that was given and that the run could not read, with the reason."""
    given = given_by_hand(clips)
    by_reason: dict[tuple[str, str], list[str]] = {}
    for modality, loss in missing.items():
        is_silent_video = loss.stage == "sound" and modality not in given
        if modality in clips and loss.stage != "simulated" and not is_silent_video:
            word = "read" if loss.stage in UNREADABLE else "used"
            by_reason.setdefault((word, loss.reason), []).append(modality)
    for (word, reason), modalities in by_reason.items():
        names = [modality for modality in modalities if modality in given] or modalities
        yield f"{listed(names)} {'was' if len(names) == 1 else 'were'} given but not {word}: {reason}"


def not_asked(modalities: Sequence[str], read: Collection[str], missing: Collection[str]) -> Iterator[str]:
    """A sentence for each modality of a clip that a run's stages could not use without another.

    Args:
        modalities: of the clip.
        read: those of them that decided.
        missing: those that the run reads and the clip lacks.
    """
    for modality in modalities:
        if modality not in read:
            yield (
                f"{modality} was given but not used: this run reads it only together with {listed(missing)}, "
                "which this clip lacks"
            )
