"""Extractors of clips for the tests of engines and fills; worker processes import them from here."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msadg.errors import FeatureError, MediaError, MsadgWarning, UnknownNameError
from msadg.extraction.clipwise import ClipExtractor
from msadg.types import Clip, Features, Utterance


@dataclass(frozen=True)
class ToyConfig:
    diary: str = ""
    """File that gets a line "clip, process" when a clip is begun."""
    dies: str = ""
    """End of the clip id whose worker is killed."""
    dies_once: str = ""
    """End of the clip id whose worker is killed the first time."""


class Toy(ClipExtractor):
    """Steps of numbers drawn from the clip's text; what the text says it does first.

    ``wait 0.2`` takes that long; ``fail`` is a media error, ``bug`` an error of the extractor, ``weights`` and
    ``unknown`` errors that stop everything, ``memory`` a lack of it, ``warn`` a warning,
    ``environment`` one that tells a variable, ``nan`` values that no store keeps.
    """

    modality = "video"
    kind = "toy"
    version = "1"
    Config = ToyConfig
    marks = ("start_seconds", "end_seconds", "confidence")
    dim = 3

    @property
    def settings(self):
        return {}

    def input_of(self, clip):
        return repr(clip.text).encode()

    def features_of(self, clip):
        self._write_down(clip)
        word, _, number = clip.text.partition(" ")
        self._die_if_told(clip)
        match word:
            case "wait":
                time.sleep(float(number))
            case "fail":
                raise MediaError("decode", f"{clip.clip_path}: damaged")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "weights":
                raise FeatureError("there are no weights; install them")
            case "unknown":
                raise UnknownNameError("detector", "yunett", ["yunet"])
            case "memory":
                raise MemoryError("8 TiB were asked for")
            case "environment":
                warnings.warn(MsadgWarning(f"it is {os.environ.get('MSADG_TOY')}"), stacklevel=1)
            case "warn":
                warnings.warn(MsadgWarning(f"{clip.clip_id} was mended"), stacklevel=1)
        random = np.random.default_rng(list(clip.clip_id.encode()))
        steps = int(random.integers(1, 9))
        values = random.standard_normal((steps, 3)).astype(np.float32)
        if word == "nan":
            values[0] = np.nan
        marks = random.random((steps, 3))
        marks[0, 2] = np.nan
        return Features(values, random.random(steps) < 0.8 if word != "nan" else np.ones(steps, bool), marks)

    def _write_down(self, clip):
        if self.config.diary:
            with Path(self.config.diary).open("a") as file:
                file.write(f"{clip.clip_id} {os.getpid()}\n")

    def _die_if_told(self, clip):
        dies, dies_once = self.config.dies, self.config.dies_once
        if dies and clip.clip_id.endswith(dies):
            os.kill(os.getpid(), signal.SIGKILL)
        if dies_once and clip.clip_id.endswith(dies_once) and diary_of(self.config.diary).count(clip.clip_id) == 1:
            os.kill(os.getpid(), signal.SIGKILL)


class Threads(Toy):
    """Two features: threads of torch and of OpenCV; then what the environment says."""

    kind = "threads"
    marks = ()
    dim = 3

    def features_of(self, clip):
        import cv2
        import torch

        counted = [torch.get_num_threads(), cv2.getNumThreads(), int(os.environ.get("OMP_NUM_THREADS", "0"))]
        return Features(np.array([counted], np.float32), np.ones(1, bool))


def exit_code_of(work: Callable[..., None], *arguments: object) -> int:
    """Do something in a copy of this process, which need not survive it, and return how that ended: -9 by SIGKILL."""
    copied = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    copied.start()
    copied.join()
    return copied.exitcode


def diary_of(path: str | Path) -> list[str]:
    """The clips begun so far."""
    return [line.split()[0] for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def processes_in(path: str | Path) -> set[int]:
    """The processes that began one."""
    return {int(line.split()[1]) for line in Path(path).read_text().splitlines()}


def toy_clips(*texts: str) -> list[Clip]:
    """Clips with labels, but every fourth without."""
    made: list[Clip] = []
    for number, text in enumerate(texts):
        given = {"clip_id": f"mine/train/{number}", "text": text, "clip_path": f"{number}.mp4"}
        made.append(
            Clip(**given) if number % 4 == 3 else Utterance(**given, video_id="v", split="train", sentiment=number % 3)
        )
    return made
