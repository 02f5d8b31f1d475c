"""From a grid to one file and back: the same tables, nothing to run again, and a row of one's own beside the others."""

import shutil

import pytest

from msadg.cli import main
from msadg.results.journal import read_records
from tests.protocols.helpers import tiny_encoder, toy_domain

TABLES = ("report.md", "scores.csv")


@pytest.fixture
def domains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [toy_domain(tmp_path, name, offset=100 * at) for at, name in enumerate("ab")]
    encoder = tiny_encoder(tmp_path / "tiny")
    (tmp_path / "mine.toml").write_text(
        f"[data]\nfeatures = {{ text = '{encoder}' }}\n[training]\nlearning_rate = 1e-2\nepochs = 4\nbatch_size = 8\n"
        "[methods.erm]\ndim = 8\nheads = 2\n[methods.ridg]\ndim = 8\nheads = 2\n"
    )
    return names


def grid(domains, output, *rows):
    a, b = domains
    where = ["--recipe", "mine.toml", "--source", a, "--target", b, "--seeds", "2", "--jobs", "1", "-o", output]
    return main(["benchmark", *where, "--methods", *rows])


def report(folder, output):
    assert main(["report", folder, "--against", "erm", "-o", output]) == 0


def test_a_grid_comes_back_with_its_tables_and_goes_on(tmp_path, domains, capsys):
    assert grid(domains, "first", "constant", "erm") == 0
    report("first", "tables")
    capsys.readouterr()
    assert main(["archive", "first", "-o", "runs.parquet"]) == 0
    assert capsys.readouterr().out.startswith("runs.parquet: 3 runs, 0.0")

    again = ["--domain", *domains]
    assert main(["restore", "runs.parquet", "-o", "again", *again]) == 0
    assert capsys.readouterr().out == "again: 3 runs added\n"
    report("again", "tables-again")
    assert main(["stress", "again"]) == 1
    assert "again has records but no weights (was it made by `msadg restore`?)" in capsys.readouterr().err
    for name in TABLES:
        assert (tmp_path / "tables" / name).read_text() == (tmp_path / "tables-again" / name).read_text(), name

    # Nothing is trained again; another row is, and is held against those that were restored.
    shutil.rmtree("first")
    before = (tmp_path / "again/records.jsonl").read_bytes()
    assert grid(domains, "again", "constant", "erm") == 0
    assert (tmp_path / "again/records.jsonl").read_bytes() == before
    assert not (tmp_path / "again/models").exists()
    assert grid(domains, "again", "erm", "ridg") == 0
    rows = [record.row for record in read_records(tmp_path / "again/records.jsonl")]
    assert rows == ["constant", "erm", "erm", "ridg", "ridg"]
    report("again", "with-mine")
    assert "| RIDG " in (tmp_path / "with-mine/report.md").read_text()

    # What was restored can be archived like what was run.
    assert main(["archive", "again"]) == 0 and main(["restore", "again/runs.parquet", "-o", "third", *again]) == 0
    report("third", "tables-third")
    assert (tmp_path / "tables-third/report.md").read_text() == (tmp_path / "with-mine/report.md").read_text()


def test_mistakes_are_told(tmp_path, domains, capsys):
    assert main(["restore", "none.parquet"]) == 1
    assert "there is no such file; expected what `msadg archive` wrote" in capsys.readouterr().err
    assert main(["archive", "nowhere"]) == 1
    assert "expected a folder that `msadg train` or `msadg benchmark` wrote" in capsys.readouterr().err
    assert grid(domains, "first", "constant") == 0
    assert main(["archive", "first", "-o", "runs.zip"]) == 2
    assert "give it a name that ends in .parquet" in capsys.readouterr().err

    assert main(["archive", "first", "--domain", "b.csv"]) == 2
    assert "--domain b.csv: a manifest is given as name=path" in capsys.readouterr().err

    # Manifests of one's own are not in the file: where they are has to be told, by their names.
    assert main(["archive", "first", "-o", "runs.parquet"]) == 0
    capsys.readouterr()
    assert main(["restore", "runs.parquet", "-o", "again"]) == 2
    assert "tell where its manifest is: --domain a=PATH" in capsys.readouterr().err
    assert main(["restore", "runs.parquet", "-o", "again", "--domain", f"aa={tmp_path / 'a.csv'}"]) == 2
    assert "--domain a=PATH (it names aa)" in capsys.readouterr().err

    # Another edition of the corpus: a clip of the test split is gone.
    assert main(["archive", "first", "-o", "runs.parquet"]) == 0
    path = tmp_path / "b.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    from msadg.protocols import features

    features._read_corpus.cache_clear()
    capsys.readouterr()
    assert main(["restore", "runs.parquet", "-o", "again", "--domain", *domains]) == 1
    assert "scored 24 clips of b; the 23 of the corpus at hand are not the same ones" in capsys.readouterr().err


def test_a_run_that_was_scored_twice_comes_back_with_both_scorings(tmp_path, domains, capsys):
    a, b = domains
    c = toy_domain(tmp_path, "c", offset=200)
    train = ["train", "--recipe", "mine.toml", "--method", "erm", "--source", a, "--target", b, "-o", "run"]
    assert main(train) == 0 and main(["evaluate", "run", "--target", c]) == 0
    assert main(["archive", "run", "-o", "runs.parquet"]) == 0
    assert main(["restore", "runs.parquet", "-o", "back", "--domain", a, b, c]) == 0
    before, after = (read_records(tmp_path / folder / "records.jsonl") for folder in ("run", "back"))
    assert [(r.key, r.metrics) for r in after] == [(r.key, r.metrics) for r in before] and len(after) > 1
    report("run", "tables")
    report("back", "tables-back")
    assert (tmp_path / "tables/report.md").read_text() == (tmp_path / "tables-back/report.md").read_text()
