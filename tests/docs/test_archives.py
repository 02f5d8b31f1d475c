"""The tables that are published are those of the runs that are published beside them."""

import pytest

from msadg.cli import main
from msadg.results.archive import read_archive

PUBLISHED = {"tuned": ("tuned", "s2lif_plus (T, frozen)"), "tables": ("tables-video", "erm (M, frozen)")}


@pytest.mark.parametrize("folder", PUBLISHED)
def test_an_archive_can_be_read_and_names_no_folder(docs, folder):
    runs = read_archive(docs / "results" / folder / "runs.parquet")
    assert runs
    for run in runs:
        assert run.record.settings["data"]["data_root"] is None
        assert run.record.settings["data"]["stores"] == "stores"
        assert {domain.name for domain in run.domains} == set(run.record.metrics)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("folder", PUBLISHED)
def test_its_table_is_the_published_one_to_the_byte(docs, research_data, tmp_path, folder, capsys):
    table, against = PUBLISHED[folder]
    assert main(["restore", str(docs / "results" / folder / "runs.parquet"), "-o", str(tmp_path / "results")]) == 0
    report = ["report", str(tmp_path / "results"), "--against", against, "-o", str(tmp_path / "report")]
    assert main([*report, "--format", "md", "csv"]) == 0
    made = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert "report.md" in made and "scores.csv" in made
    for name in made:
        assert (tmp_path / "report" / name).read_bytes() == (docs / "results" / table / name).read_bytes(), name
