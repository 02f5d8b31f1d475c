"""The built site: no warning, no dead link, nothing from the network. Skips where the extra is not installed."""

import importlib.util
import os
import subprocess
import sys

import pytest


def test_a_dead_link_a_missing_anchor_and_a_foreign_script_are_found(tmp_path):
    from check_links import faults_of

    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><a href="https://example.org/">4</a>'
        '<script src="https://example.org/x.js"></script><img src="none.png">'
    )
    (tmp_path / "b.html").write_text('<p id="here"><a href="#here">5</a></p>')
    (tmp_path / "s.css").write_text("@font-face { src: url('//example.org/font.woff') }")
    faults, num_internal, num_external = faults_of(tmp_path)
    assert [fault.partition(": ")[2] for fault in faults] == [
        "loads https://example.org/x.js from the network",
        "links to b.html#gone, where there is no such anchor",
        "links to c.html, which is not there",
        "links to none.png, which is not there",
        "loads //example.org/font.woff from the network",
    ]
    assert (num_internal, num_external) == (5, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_site_builds_without_a_warning_and_every_link_leads_somewhere(docs, tmp_path):
    missing = [name for name in ("sphinx", "furo", "myst_parser") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install 'msadg[docs]'")
    from check_links import faults_of

    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-c", docs / "site"]
    built = subprocess.run(
        [*command, "-d", tmp_path / "trees", docs, tmp_path / "site"], capture_output=True, text=True, env=os.environ
    )
    assert built.returncode == 0, built.stderr
    faults, num_internal, _ = faults_of(tmp_path / "site")
    assert faults == []
    assert num_internal > 5_000
