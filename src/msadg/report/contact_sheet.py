"""A clip on one page: its frames with the speaker's face, its sound, which steps are valid, what is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from msadg.report.inspected_clip import InspectedClip, ShownFrame
from msadg.report.lettering import DPI, Lettering
from msadg.store.atomic import atomic_path
from msadg.types import Word

WIDTH, MARGIN, GAP, COLUMNS = 1400, 24, 10, 6
LABELS = 96
"""Room left of sound and strips for their names."""
CAPTION, LINE = 40, 19
SOUND_HEIGHT, STRIP_HEIGHT, AXIS_HEIGHT = 110, 18, 30
SMALL_FACE, CLOSE_UP = 40, 72
"""A face whose longer side is under so many pixels of the sheet is shown larger too, at that size. A larger one needs
no close-up, which might lie on someone else's face."""
MOST_LINES = 12
"""Of the transcript; what does not fit is counted."""
MOST_LETTERS = 6000

# Okabe and Ito's colours, which colour-blind readers tell apart; each has a word beside it too.
FACE, VALID, KEPT, DROPPED = "#56B4E9", "#0072B2", "#009E73", "#D55E00"
INVALID, INK, FAINT = "#D9D9D9", "#222222", "#666666"

Number: TypeAlias = int | float
Box: TypeAlias = tuple[Number, Number, Number, Number]
"""Left, top, width, height in pixels of the sheet, from its upper left corner."""


@dataclass(frozen=True)
class SheetLayout:
    """Where everything lies on the sheet, in pixels."""

    header_lines: int
    num_frames: int
    picture: tuple[int, int]
    """Width and height that a frame is shown at."""
    num_strips: int
    has_sound: bool
    text_lines: int

    @property
    def frames_top(self) -> int:
        """Upper edge of the first row of frames."""
        return MARGIN + 34 + self.header_lines * LINE + 8

    def frame(self, number: int) -> Box:
        """Where a frame's picture lies."""
        cell = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
        row, column = divmod(number, COLUMNS)
        left = MARGIN + column * (cell + GAP) + (cell - self.picture[0]) / 2
        return left, self.frames_top + row * (self.picture[1] + CAPTION), *self.picture

    @property
    def sound_top(self) -> int:
        """Upper edge of the sound."""
        rows = -(-self.num_frames // COLUMNS)
        return self.frames_top + rows * (self.picture[1] + CAPTION) + 8

    @property
    def strips_top(self) -> int:
        """Upper edge of the first strip."""
        return self.sound_top + (SOUND_HEIGHT + 8 if self.has_sound else 0)

    @property
    def axis_top(self) -> int:
        """Where the time axis is."""
        return self.strips_top + self.num_strips * (STRIP_HEIGHT + 6)

    @property
    def text_top(self) -> int:
        """Upper edge of the transcript."""
        return self.axis_top + AXIS_HEIGHT + 10

    @property
    def height(self) -> int:
        """Of the whole sheet."""
        return self.text_top + self.text_lines * LINE + MARGIN


def write_contact_sheet(shown: InspectedClip, path: Path) -> None:
    """Write the sheet as a PNG of 1400 pixels' width, whole or not at all."""
    with atomic_path(path) as beside:
        FigureCanvasAgg(draw_contact_sheet(shown)).print_png(beside)  # type: ignore[no-untyped-call]


def draw_contact_sheet(shown: InspectedClip) -> Figure:
    """Draw the sheet; one pixel of the figure is one unit of its axes."""
    lettering = Lettering([shown.clip.clip_id, shown.clip.text[:MOST_LETTERS], *_header(shown), *_word_texts(shown)])
    header = [(line, colour) for text, colour in _header_of(shown) for line in _lines(lettering, text)]
    transcript = _transcript(shown, lettering)
    layout = layout_of(shown, len(header), len(transcript))
    figure = Figure(figsize=(WIDTH / DPI, layout.height / DPI), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    pen = _Pen(axes, lettering)
    pen.text(MARGIN, MARGIN + 8, lettering.shortened(shown.clip.clip_id, 16, WIDTH - 2 * MARGIN), points=16)
    for number, (line, colour) in enumerate(header):
        pen.text(MARGIN, MARGIN + 40 + number * LINE, line, colour=colour)
    for number, frame in enumerate(shown.frames):
        _draw_frame(pen, shown, frame, layout.frame(number))
    _draw_time(pen, shown, layout)
    for number, line in enumerate(transcript):
        pen.text(MARGIN, layout.text_top + 8 + number * LINE, line)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(layout.height, 0)
    return figure


def layout_of(shown: InspectedClip, header_lines: int, text_lines: int) -> SheetLayout:
    """Return where everything lies."""
    cell = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    image = next((frame.image for frame in shown.frames if frame.image is not None), None)
    height, width = image.shape[:2] if image is not None else (3, 4)
    scale = min(cell / width, 1.25 * cell / height)
    strips = int(len(shown.valid) > 0) + int(shown.kept is not None)
    picture = (round(width * scale), round(height * scale))
    return SheetLayout(header_lines, len(shown.frames), picture, strips, shown.sound is not None, text_lines)


class _Pen:
    """Writes into the axes of the sheet."""

    def __init__(self, axes: Axes, lettering: Lettering) -> None:
        self.axes, self.lettering = axes, lettering

    def text(
        self,
        x: Number,
        y: Number,
        text: str,
        *,
        colour: str = INK,
        points: int = 11,
        align: str = "left",
        ground: str | None = None,
    ) -> None:
        """Write one line, its middle at ``y``."""
        box = None if ground is None else {"facecolor": ground, "edgecolor": "none", "pad": 2.5}
        self.axes.text(
            x, y, text, color=colour, ha=align, va="center", bbox=box, fontproperties=self.lettering.font(points),
            parse_math=False, usetex=False,
        )  # fmt: skip

    def rectangle(self, box: Box, **style: object) -> None:
        """Draw a rectangle; its lines are ``linewidth`` pixels wide."""
        if "linewidth" in style:
            style["linewidth"] = float(style["linewidth"]) * 72 / DPI  # type: ignore[arg-type]
        self.axes.add_patch(Rectangle(box[:2], box[2], box[3], **style))  # type: ignore[arg-type]


def _header_of(shown: InspectedClip) -> list[tuple[str, str]]:
    colours = [INK, FAINT, *[DROPPED] * (2 + len(shown.notes))]
    return list(zip(_header(shown), colours, strict=False))


def _header(shown: InspectedClip) -> list[str]:
    """What made it and how many steps; where it lies; then what is wrong."""
    clip, steps = shown.clip, len(shown.valid)
    counted = f"{steps:,} steps, {int(shown.valid.sum()):,} valid"
    if shown.kept is not None:
        counted += f", {int((shown.kept & shown.valid).sum()):,} kept by the run"
    span = "the whole file"
    if clip.start_seconds is not None or clip.end_seconds is not None:
        end = "the end" if clip.end_seconds is None else f"{clip.end_seconds:g} s"
        span = f"{clip.start_seconds or 0:g} s to {end}"
    lines = [f"{shown.store}; {counted}", f"{clip.clip_path or 'file not known'}, {span}"]
    if shown.loss is not None:
        lines[0] = shown.store
        lines.append(f"no features: lost at {shown.loss.stage!r}: {shown.loss.reason}")
        if shown.frames:
            lines.append(
                f"the {len(shown.frames)} pictures below are spread evenly over the clip: others than those looked at"
            )
    return [*lines, *shown.notes]


def _lines(lettering: Lettering, text: str) -> list[str]:
    lines, left_out = lettering.wrapped(text, 11, WIDTH - 2 * MARGIN - 20, most=3)
    return [*lines[:-1], lines[-1] + " …"] if left_out else lines


def _draw_frame(pen: _Pen, shown: InspectedClip, frame: ShownFrame, box: Box) -> None:
    left, top, width, height = box
    is_seen = frame.step is None or bool(shown.valid[frame.step])
    if frame.image is None:
        pen.rectangle(box, facecolor=INVALID, edgecolor="none")
        pen.text(left + width / 2, top + height / 2, "no picture", align="center")
    else:
        image = frame.image if is_seen else greyed(frame.image)
        pen.axes.imshow(image, extent=(left, left + width, top + height, top), aspect="auto", zorder=0)
    caption = f"{frame.seconds:.2f} s"
    if frame.step is not None and is_seen:
        caption += _draw_face(pen, shown, frame, frame.step, box)
    elif frame.step is not None:
        pen.text(left + width / 2, top + height / 2, "no face", align="center", ground="white")
        caption += ", no face"
    pen.text(left, top + height + 14, caption, points=10)
    if shown.kept is not None and frame.step is not None and is_seen:
        is_kept = bool(shown.kept[frame.step])
        colour, word = (KEPT, "kept") if is_kept else (DROPPED, "dropped")
        pen.rectangle((left, top + height, width, 4), facecolor=colour, edgecolor="none")
        pen.text(left + 6, top + 12, word, colour="white", points=10, ground=colour)


def _draw_face(pen: _Pen, shown: InspectedClip, frame: ShownFrame, step: int, box: Box) -> str:
    """Draw the box of the face, cut to the picture, and return what the caption says of it."""
    track, confidence = float(shown.mark("track")[step]), float(shown.mark("confidence")[step])
    found = face_box(shown.marks[step, 2:6], box)
    if found is not None:
        # By its own size, not by what of it the picture holds.
        is_small = bool(max(shown.marks[step, 4] * box[2], shown.marks[step, 5] * box[3]) < SMALL_FACE)
        _outline(pen, found, pixels=1 if is_small else 3)
        if is_small and frame.image is not None:
            middle = float(np.nanmedian(shown.mark("left") + shown.mark("width") / 2))
            corner = box[0] + (box[2] - CLOSE_UP if middle < 0.5 else 0), box[1] + box[3] - CLOSE_UP
            _draw_close_up(pen, frame.image, shown.marks[step, 2:6], corner)
    told = f", track {track:.0f}" if np.isfinite(track) and track >= 0 else ""
    return told + (f", {confidence:.2f}" if np.isfinite(confidence) else "")


def _outline(pen: _Pen, box: Box, pixels: int) -> None:
    pen.rectangle(box, fill=False, edgecolor="black", linewidth=pixels + 2, zorder=3)
    pen.rectangle(box, fill=False, edgecolor=FACE, linewidth=pixels, zorder=3)


def _draw_close_up(
    pen: _Pen,
    image: UInt8[np.ndarray, "height width 3"],
    shares: Float[np.ndarray, " 4"],
    corner: tuple[Number, Number],
) -> None:
    """Draw a small face large, from this upper left corner on."""
    height, width = image.shape[:2]
    middle = (shares[:2] + shares[2:] / 2) * (width, height)
    half = 0.65 * float(max(shares[2] * width, shares[3] * height))
    (x0, y0), (x1, y1) = np.maximum(middle - half, 0).astype(int), np.ceil(middle + half).astype(int)
    crop = image[y0:y1, x0:x1]
    if not crop.size:
        return
    left, top = corner
    extent = (left, left + CLOSE_UP, top + CLOSE_UP, top)
    pen.axes.imshow(crop, extent=extent, aspect="auto", zorder=2)
    pen.rectangle((left, top, CLOSE_UP, CLOSE_UP), fill=False, edgecolor=FACE, linewidth=2, zorder=3)


def face_box(shares: Float[np.ndarray, " 4"], picture: Box) -> Box | None:
    """Return where a face lies on the sheet, given as shares of its picture; None where that is not known.

    Example:
        >>> face_box(np.array([0.5, 0.25, 0.75, 0.5]), (100.0, 200.0, 200.0, 100.0))
        (200.0, 225.0, 100.0, 50.0)
    """
    if not np.isfinite(shares).all():
        return None
    left, top, width, height = picture
    (x0, y0), (x1, y1) = np.clip(shares[:2], 0, 1), np.clip(shares[:2] + shares[2:], 0, 1)
    return (
        left + float(x0) * width,
        top + float(y0) * height,
        float(x1 - x0) * width,
        float(y1 - y0) * height,
    )


def greyed(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Return a pale picture without colour."""
    light = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat((110 + 0.5 * light).astype(np.uint8)[:, :, None], 3, axis=2)


def _draw_time(pen: _Pen, shown: InspectedClip, layout: SheetLayout) -> None:
    """Draw the sound, the strips of the steps, and the axis below them."""
    left, right = MARGIN + LABELS, WIDTH - MARGIN
    start, end = _span(shown)
    scale = (right - left) / max(end - start, 1e-6)
    if shown.sound is not None:
        low, high = envelope(shown.sound.samples, right - left)
        # The sound may be shorter than the axis.
        at = left + (np.linspace(shown.sound.start_seconds, shown.sound.end_seconds, len(low)) - start) * scale
        middle, half = layout.sound_top + SOUND_HEIGHT / 2, SOUND_HEIGHT / 2
        peak = max(float(np.abs(shown.sound.samples).max(initial=0)), 1e-9)
        pen.rectangle((left, layout.sound_top, right - left, SOUND_HEIGHT), facecolor="#F5F5F5", edgecolor="none")
        pen.axes.fill_between(at, middle - high / peak * half, middle - low / peak * half, color=FAINT, linewidth=0.6)
        pen.text(MARGIN, middle - 9, "sound")
        pen.text(MARGIN, middle + 9, f"peak {peak if peak > 1e-9 else 0:.2f}", points=9, colour=FAINT)
    edges = _edges(shown, start, end)
    for number, (name, colours) in enumerate(_strips(shown)):
        top = layout.strips_top + number * (STRIP_HEIGHT + 6)
        pen.text(MARGIN, top + STRIP_HEIGHT / 2, name)
        for first, last, colour in _runs(colours):
            x0, x1 = left + (edges[first, 0] - start) * scale, left + (edges[last, 1] - start) * scale
            pen.rectangle((x0, top, x1 - x0, STRIP_HEIGHT), facecolor=colour, edgecolor="none")
    _draw_axis(pen, layout.axis_top, start, end, unit="s" if shown.is_timed or shown.sound is not None else "step")


def _strips(shown: InspectedClip) -> Iterator[tuple[str, list[str]]]:
    if len(shown.valid):
        name = "face" if shown.modality == "video" else "valid"
        yield f"{name} / none", [VALID if valid else INVALID for valid in shown.valid]
    if shown.kept is not None:
        states = zip(shown.valid.tolist(), shown.kept.tolist(), strict=True)
        yield "kept / not", [INVALID if not valid else KEPT if kept else DROPPED for valid, kept in states]


def _runs(colours: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Neighbours of one colour as (first, last, colour)."""
    first = 0
    for at in range(1, len(colours) + 1):
        if at == len(colours) or colours[at] != colours[first]:
            yield first, at - 1, colours[first]
            first = at


def _span(shown: InspectedClip) -> tuple[float, float]:
    """First and last second on the axis; steps are counted where nothing has a time."""
    times = [shown.clip.start_seconds, shown.clip.end_seconds]
    if shown.sound is not None:
        times += [shown.sound.start_seconds, shown.sound.end_seconds]
    if shown.is_timed:
        times += [float(shown.mark("start_seconds").min()), float(shown.mark("end_seconds").max())]
    elif shown.sound is None:
        return 0.0, float(max(len(shown.valid), 1))
    known = [max(time, 0.0) for time in times if time is not None]
    return min(known), max(known)


def _edges(shown: InspectedClip, start: Number, end: Number) -> Float[np.ndarray, "time 2"]:
    """Where each step begins and ends on the axis; spread evenly where the steps have no times."""
    if shown.is_timed:
        return shown.marks[:, :2]
    borders = np.linspace(start, end, len(shown.valid) + 1)
    return np.stack([borders[:-1], borders[1:]], axis=1)


def _draw_axis(pen: _Pen, top: Number, start: Number, end: Number, unit: str) -> None:
    left, right = MARGIN + LABELS, WIDTH - MARGIN
    pen.axes.plot([left, right], [top, top], color=FAINT, linewidth=1)
    apart = tick_distance(end - start)
    for tick in np.arange(np.ceil(start / apart - 1e-9), np.floor(end / apart + 1e-9) + 1) * apart:
        x = left + (tick - start) / max(end - start, 1e-6) * (right - left)
        pen.axes.plot([x, x], [top, top + 5], color=FAINT, linewidth=1)
        pen.text(min(x, right - 14), top + 15, f"{tick + 0.0:g}", points=9, align="center", colour=FAINT)
    pen.text(MARGIN, top + 15, {"s": "seconds", "step": "steps"}[unit], points=9, colour=FAINT)


def tick_distance(span: int | float) -> float:
    """Return a round distance that puts at most some 15 ticks on a span.

    Example:
        >>> tick_distance(2.0), tick_distance(13), tick_distance(3600)
        (0.2, 1.0, 300.0)
    """
    rounds = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
    return float(next((distance for distance in rounds if span / distance <= 15), max(span / 10, 7200)))


def envelope(
    samples: Float[np.ndarray, " sample"], columns: int
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, " column"]]:
    """Return the lowest and the highest sample of each of some equal parts.

    Example:
        >>> [side.tolist() for side in envelope(np.array([0.0, 1.0, -1.0, 0.5]), 2)]
        [[0.0, -1.0], [1.0, 0.5]]
    """
    if not len(samples):
        return np.zeros(1), np.zeros(1)
    starts = np.unique(np.linspace(0, len(samples), min(columns, len(samples)), endpoint=False).astype(np.int64))
    return np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


def _word_texts(shown: InspectedClip) -> list[str]:
    return [word.text for word in shown.clip.words[:MOST_LETTERS]]


def _transcript(shown: InspectedClip, lettering: Lettering) -> list[str]:
    """The transcript in lines; with the time of its first word before each, where word times are known."""
    if not shown.clip.text.strip() and not shown.clip.words:
        return ["no transcript"]
    if shown.clip.words:
        lines, left_out = _timed_lines(shown.clip.words, lettering)
    else:
        words = shown.clip.text.split()
        lines, left_out = lettering.wrapped(shown.clip.text[:MOST_LETTERS], 11, WIDTH - 2 * MARGIN, MOST_LINES)
        left_out += len(words) - len(shown.clip.text[:MOST_LETTERS].split())
    if left_out:
        lines.append(f"(cut here: {left_out:,} more words)")
    if lettering.unknown:
        lines.append(f"({len(lettering.unknown)} letters are in no font of this machine: squares stand for them)")
    return lines


def _timed_lines(words: Sequence[Word], lettering: Lettering) -> tuple[list[str], int]:
    lines: list[str] = []
    line = ""
    for number, word in enumerate(words):
        text = lettering.clean(word.text)
        if line and lettering.width(f"{line} {text}", 11) > WIDTH - 2 * MARGIN:
            lines.append(line)
            line = ""
            if len(lines) == MOST_LINES:
                return lines, len(words) - number
        line = f"{line} {text}" if line else f"{word.start_seconds:.2f} s:  {lettering.shortened(text, 11, WIDTH / 2)}"
    return [*lines, line], 0
