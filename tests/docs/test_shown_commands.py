"""Every command that the documentation shows is one that the real parser takes; every Python snippet is Python."""

import ast
import re
import shlex
from itertools import takewhile

import pytest

SHELL = re.compile(r"```(?:sh|text)\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def pages_of(docs):
    written = [path for path in docs.rglob("*.md") if "generated" not in path.parts]
    return [*written, docs.parent / "README.md", docs.parent / "CONTRIBUTING.md"]


def commands_in(text: str) -> list[list[str]]:
    """The words of each line that begins with msadg, continued lines joined, comments and pipes cut off."""
    lines = [line for block in SHELL.findall(text) for line in block.replace("\\\n", " ").split("\n")]
    found = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("msadg ")]
    return [list(takewhile(lambda word: word not in ("|", ">"), words)) for words in found]


def test_the_parser_takes_every_command_shown(docs, generated, capsys):
    from msadg.cli import parser

    texts = {str(path): path.read_text(encoding="utf-8") for path in pages_of(docs)}
    texts |= {name: text for name, text in generated.items() if name.startswith("methods/")}
    top, tried = parser(), 0
    for name, text in texts.items():
        for words in commands_in(text):
            tried += 1
            try:
                top.parse_args(words)
            except SystemExit as stop:
                assert stop.code == 0, f"{name}: msadg {shlex.join(words)}: {capsys.readouterr().err}"
    assert tried > 40


def test_a_command_that_does_not_exist_would_be_found(docs, capsys):
    from msadg.cli import parser

    (words,) = commands_in("```sh\nmsadg train --sauce a=a.csv \\\n    -o x   # comment\n```")
    assert words == ["train", "--sauce", "a=a.csv", "-o", "x"]
    with pytest.raises(SystemExit):
        parser().parse_args(words)


def test_python_snippets_parse_and_what_they_import_is_there(docs):
    for path in pages_of(docs):
        for snippet in PYTHON.findall(path.read_text(encoding="utf-8")):
            for node in ast.walk(ast.parse(snippet)):
                if isinstance(node, ast.ImportFrom):
                    module = __import__(node.module, fromlist=["*"])
                    missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                    assert not missing, f"{path.name}: {node.module} has no {missing}"


def test_the_tutorials_snippet_writes_manifests_that_read_back(docs, tmp_path, monkeypatch):
    from msadg.corpora.catalog import open_corpus

    (snippet,) = PYTHON.findall((docs / "tutorial.md").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "tutorial", "exec"), {})
    for name, number in {"products": 402, "films": 410, "sitcom": 398}.items():
        assert len(list(open_corpus(f"{name}={name}.csv").all_utterances())) == number


def test_the_guides_row_below_a_copy_of_a_recipe_is_trained_as_its_rows_are(docs, tmp_path):
    from msadg.protocols.domains import paper_setting
    from msadg.protocols.recipe import load_recipe

    (row,) = TOML.findall((docs / "guides" / "reading-tables.md").read_text(encoding="utf-8"))
    path = tmp_path / "mine.toml"
    path.write_text((docs.parent / "recipes" / "tables.toml").read_text(encoding="utf-8") + row, encoding="utf-8")
    split = paper_setting("single-B")
    mine, theirs = (load_recipe(str(path)).experiment(name, split, 0) for name in ("my row", "erm (T, frozen)"))
    assert mine.method.settings["dim"] == 96 and mine.training.class_prior == "uniform"
    assert (mine.training.epochs, mine.training.batch_size) == (theirs.training.epochs, theirs.training.batch_size)
