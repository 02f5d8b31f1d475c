"""Which of a corpus's published layouts lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msadg.errors import CorpusError, UnknownNameError


def choose_layout(
    corpus: str, root: Path, candidates: Mapping[str, Sequence[Path]], wanted: str | None
) -> tuple[str, Path]:
    """Return the first layout of which a file is there, and that file; or the wanted layout's.

    Args:
        corpus: Its name, for messages.
        root: Where to look.
        candidates: For each layout, the files, from the folder, by which it is known; most preferred first.
        wanted: Only this layout, though a preferred one may lie there too.

    Raises:
        CorpusError: nothing to read; says where it looked.
    """
    if wanted is not None and wanted not in candidates:
        raise UnknownNameError("layout", wanted, candidates)
    layouts = list(candidates) if wanted is None else [wanted]
    for layout in layouts:
        for file in candidates[layout]:
            if (root / file).is_file():
                return layout, root / file
    looked_for = ", ".join(str(file) for layout in layouts for file in candidates[layout])
    raise CorpusError(
        f"{corpus}: nothing to read in {root}; looked for {looked_for}. Set MSADG_DATA to the folder that holds "
        f"{corpus}/, or give the corpus's own folder as root"
    )
