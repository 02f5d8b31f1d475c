"""The generated pages: each method and verb has one, settings have their numbers, and internal links lead somewhere."""

import dataclasses
import os
import re
from pathlib import Path

import pytest

from msadg.cli import VERBS
from msadg.methods import METHODS, load_method

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def row_of(page: str, setting: str) -> list[str]:
    line = next(line for line in page.split("\n") if line.startswith(f"| `{setting}` |"))
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_page_with_every_setting_and_its_meaning(name, generated):
    page = generated[f"methods/{name}.md"]
    assert page.startswith(f"# {name.replace('_', chr(92) + '_')}\n")
    for field in dataclasses.fields(load_method(name).Config):
        assert row_of(page, field.name)[4], f"{name}.{field.name} has no docstring"


def test_a_setting_stands_with_its_type_default_range_and_meaning(generated):
    assert row_of(generated["methods/s2lif.md"], "temperature") == [
        "`temperature`",
        "a number",
        "`0.1`",
        "\\> 0",
        "Of the cosine softmax \\[I\\].",
    ]
    assert row_of(generated["methods/ridg.md"], "momentum")[3] == "\\> 0, ≤ 1"
    assert row_of(generated["methods/coral.md"], "heads")[2:4] == [
        "`4`",
        "≥ 1",
    ]  # inherited from erm, checked by a helper
    assert row_of(generated["methods/s2lif.md"], "sparsity_weight")[2:4] == ["`0.001`", "≥ 0"]  # checked in a loop
    assert row_of(generated["methods/s2lif.md"], "schedule")[1] == "one of joint, joint\\_detach, staged"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_with_every_option(verb, generated):
    from msadg.cli import parser
    from pages.commands import verbs_of

    page = generated[f"commands/{verb}.md"]
    for action in verbs_of(parser())[verb]._actions:
        for option in set(action.option_strings) - {"-h", "--help"}:
            assert option in page


def test_every_public_function_of_a_module_is_in_the_reference(generated):
    page = generated["reference/metrics.md"]
    assert "## msadg.metrics.regression" in page
    assert "{py:function} pearson" in page or "{py:function} corr" in page
    assert "{py:function} _" not in page


def test_names_in_annotations_say_whose_they_are(generated):
    assert "row: msadg.corpora.row.Row" in generated["reference/corpora.md"]


def links_of(text: str) -> set[str]:
    text = re.sub(r"```\{toctree\}.*?```", "", text, flags=re.DOTALL)
    found = {first or second for first, second in LINK.findall(CODE.sub("", text))}
    return {link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)}


def entries_of(text: str) -> list[str]:
    lines = [line.strip() for tree in TOCTREE.findall(text) if ":glob:" not in tree for line in tree.split("\n")]
    return [re.sub(r".*<(.*)>", r"\1", line) for line in lines if line and not line.startswith(":")]


def is_file(target: Path) -> bool:
    """A picture or a file of the repository; pages that are made must be among those that are known."""
    return target.is_file() and "generated" not in target.parts


def test_every_internal_link_leads_to_a_page(docs, generated):
    texts = {path: path.read_text(encoding="utf-8") for path in docs.rglob("*.md") if "generated" not in path.parts}
    texts |= {docs / "generated" / name: text for name, text in generated.items()}
    known = {Path(os.path.normpath(path)) for path in texts}
    dead: list[str] = []
    for path, text in texts.items():
        targets = [path.parent / link for link in links_of(text)]
        targets += [path.parent / f"{entry}.md" for entry in entries_of(text)]
        dead += [f"{path}: {t}" for t in map(Path, map(os.path.normpath, targets)) if t not in known and not is_file(t)]
    assert dead == []
    assert len(texts) > 60


def test_links_of_the_readme_and_of_contributing_lead_to_files(docs):
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in links_of((docs.parent / name).read_text(encoding="utf-8")):
            assert (docs.parent / link).exists(), f"{name}: {link}"


def test_pages_that_are_no_longer_made_are_deleted_and_others_are_left_untouched(tmp_path, docs, monkeypatch):
    import pages

    monkeypatch.setattr(pages, "all_pages", lambda docs: iter([("a.md", "# a\n")]))
    (tmp_path / "generated").mkdir()
    (tmp_path / "generated" / "old.md").write_text("# old\n")
    (first,) = pages.write_pages(tmp_path)
    before = first.stat().st_mtime_ns
    assert pages.write_pages(tmp_path) == [first]
    assert [path.name for path in (tmp_path / "generated").iterdir()] == ["a.md"]
    assert first.stat().st_mtime_ns == before
