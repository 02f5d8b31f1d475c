"""Docstrings as Markdown: formulas, code, sections and data cards come out as they were meant."""

import pytest


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("W * x, |r| - s", r"W \* x, \|r\| - s"),
        ("x_t of <name>", r"x\_t of \<name\>"),
        ("``a_b`` and `c*d`", "`a_b` and `c*d`"),
        ("``a\n    b``", "`a b`"),
        ("Eq. [1] #2 $x$", r"Eq. \[1\] \#2 \$x\$"),
    ],
)
def test_no_character_of_prose_is_taken_for_markup(text, markdown):
    from pages.prose import escaped

    assert escaped(text) == markdown


def test_sections_formulas_and_examples_keep_their_form():
    from pages.prose import markdown_of

    docstring = """First line.

    r = a * b

    Of x: prose goes on
    here.

    Args:
        name: what it is,
            over two lines.
        *rest: others.

    Raises:
        ValueError: it is not.

    Example:
        >>> 1 + 1
        2
    """.replace("    r = a", "        r = a")
    assert markdown_of(docstring).split("\n") == [
        "First line.", "",
        "```text", "r = a * b", "```", "",
        "Of x: prose goes on", "here.", "",
        "*Arguments*", "", "- `name`: what it is, over two lines.", "- `*rest`: others.", "",
        "*Raises*", "", "- `ValueError`: it is not.", "",
        "*Example*", "", "```python", ">>> 1 + 1", "2", "```", "",
    ]  # fmt: skip


def test_a_data_card_becomes_a_list():
    from pages.prose import markdown_of

    card = "Input: transcript;\n    no clips.\nLabel: polarity.\nKnown faults, kept: none."
    assert (
        markdown_of(card) == "- *Input*: transcript; no clips.\n- *Label*: polarity.\n- *Known faults, kept*: none.\n"
    )


def test_a_pipe_in_a_cell_does_not_end_it():
    from pages.prose import cell, code_cell, table

    assert table(("a", "b"), [(code_cell("x | None"), cell("p | q"))]).split("\n")[2] == r"| `x \| None` | p \| q |"
