"""Which rows `msadg benchmark` runs where none is named, what it says of the others, and of options beside the mark."""

import argparse
import io

import pytest
from rich.console import Console
from rich.progress import Progress

from msadg.cli import main
from msadg.cli.benchmark import _rows
from msadg.cli.options import parse_seeds, tell_line, time_left
from msadg.cli.rows import tell_of_own_features
from msadg.errors import UsageError
from msadg.protocols.domains import split_domains
from msadg.protocols.recipe import load_recipe

ONE, TWO = split_domains(["a"], ["c"]), split_domains(["a", "b"], ["c"])


def test_language_models_are_asked_by_name_or_by_all_only(capsys):
    recipe = load_recipe("tables")
    rows = _rows(None, recipe, [TWO])
    assert "coral (T, frozen)" in rows and not any(row.startswith("mllm") for row in rows)
    assert "mllm (BLIP-2)" in capsys.readouterr().err
    assert "mllm (BLIP-2)" in _rows(["all"], recipe, [TWO])
    assert _rows(["mllm (BLIP-2)"], recipe, [TWO]) == ["mllm (BLIP-2)"]


def test_of_one_source_what_compares_sources_is_left_out_and_named(capsys):
    rows = _rows(None, load_recipe("tables"), [ONE])
    assert "erm (T, frozen)" in rows and "coral (T, frozen)" not in rows
    assert "coral (T, frozen)" in capsys.readouterr().err
    assert "coral (T, frozen)" in _rows(None, load_recipe("tables"), [ONE, TWO])


def test_where_no_row_is_left_that_is_said(tmp_path):
    (tmp_path / "mine.toml").write_text('[rows."coral alone"]\nmethod = "coral"\n')
    with pytest.raises(UsageError, match="no row of the recipe is left"):
        _rows(None, load_recipe(str(tmp_path / "mine.toml")), [ONE])


def test_an_option_says_which_rows_it_does_not_reach(capsys):
    recipe = load_recipe("tables", ["data.features.text=electra"])
    asked = argparse.Namespace(text="electra", audio=None, video=None)
    tell_of_own_features(["s2lif_plus (T, frozen)", "erm (T, frozen)", "erm (T, fine-tuned)"], recipe, asked)
    said = capsys.readouterr().err
    assert said == "--text electra does not reach rows that name their own: s2lif_plus (T, frozen) (minilm:layer=3)\n"
    tell_of_own_features(["s2lif_plus (T, frozen)"], recipe, argparse.Namespace(text=None, audio=None, video=None))
    assert capsys.readouterr().err == ""


def test_a_file_in_the_place_of_the_folder_is_told_at_once(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("x")
    assert main(["benchmark", "--source", "a", "--target", "b", "-o", str(tmp_path / "a.csv")]) == 2
    assert "is a file; name a folder" in capsys.readouterr().err


def test_a_seed_that_is_named_twice_is_refused():
    with pytest.raises(UsageError, match="1 is named twice"):
        parse_seeds("1,2,1")


def test_where_no_bar_can_be_drawn_each_run_is_a_line():
    written = io.StringIO()
    with Progress(console=Console(file=written, force_terminal=False)) as progress:
        task = progress.add_task("runs", total=4, note="")
        progress.update(task, completed=3, note="erm [1], single-B, seed 2: worst target F1 0.500")
        tell_line(progress, task)
    assert "runs 3/4: erm [1], single-B, seed 2: worst target F1 0.500" in written.getvalue()
    written = io.StringIO()
    with Progress(console=Console(file=written, force_terminal=True)) as progress:
        tell_line(progress, progress.add_task("runs", total=4, note="said by the bar"))
    assert "said by the bar" not in written.getvalue()


def test_the_time_left_goes_by_the_runs_done_since_the_start():
    now = [100.0]
    bar = Progress(get_time=lambda: now[0], speed_estimate_period=1800)
    task = bar.add_task("runs", total=40, completed=10, before=10, note="")
    assert time_left(bar.tasks[0]) is None, "nothing was done yet"
    for seconds in (80.0, 80.5):  # two that worked side by side
        now[0] = 100.0 + seconds
        bar.advance(task)
    assert time_left(bar.tasks[0]) == pytest.approx(80.5 * 28 / 2)
    clips = bar.add_task("extract", total=10, note="")
    bar.advance(clips)
    assert time_left(bar.tasks[clips]) == bar.tasks[clips].time_remaining
