"""Features on disk: written so that a crash loses nothing finished, read without loading what is not asked for.

A store is a folder: ``manifest.json`` (what made the features), ``values.bin`` (all steps of all clips, one after the
other), ``marks.bin`` (when and where each step was, for extractors that know), ``journal.jsonl`` (one line a finished
or lost clip) and, once complete, ``index.npz`` (the journal as arrays). ``losses.csv`` tells people which clips were
lost, and why. ``.hashes.json`` remembers the hashes of the clips' files, and may be deleted.
"""

from msadg.store.fill import fill_store
from msadg.store.folders import store_path
from msadg.store.manifest import Manifest
from msadg.store.reader import Store
from msadg.store.writer import StoreWriter

__all__ = ["Manifest", "Store", "StoreWriter", "fill_store", "store_path"]
