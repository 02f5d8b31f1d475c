"""A table in LaTeX (packages booktabs and, for wide tables, graphicx)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from msadg.report.names import bracketed, printed, spread
from msadg.report.tables import Cell, Column, Row, Table, shown_once, with_published

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "→": r"$\rightarrow$",
    "\N{EN DASH}": "--",
    "†": r"$^{\dagger}$",
    "‡": r"$^{\ddagger}$",
}

FITTING = 6
"""More columns than these are scaled to the width of the page."""


def to_latex(table: Table) -> str:
    """A `table` environment, with caption, label and notes; ends with a line break."""
    rows = [" & ".join([_label(row), *itertools.starmap(_cell, with_published(row))]) for row in table.rows]
    if table.has_categories:
        rows = _under_categories(shown_once(table.rows), rows)
    before = ["category"] if table.has_categories else []
    notes = [rf"\\[2pt] {{\footnotesize {escape(note)}}}" for note in table.notes]
    opened, closed = (r"\resizebox{\textwidth}{!}{%", "}") if len(table.columns) > FITTING else (r"\small", "")
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escape(table.title)}. {escape(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        opened,
        rf"\begin{{tabular}}{{{'l' * len(before)}l{_alignment(table.columns)}}}",
        r"\toprule",
        *_heads(table.columns, before),
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}" + closed,
        *notes,
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""`text` as LaTeX prints it.

    Example:
        >>> print(escape("f1_macro: 95 % & more"))
        f1\_macro: 95 \% \& more
    """
    return "".join(ESCAPES.get(sign, sign) for sign in text)


def _under_categories(categories: Sequence[str], rows: Sequence[str]) -> list[str]:
    """Each row behind its category, and a rule before each category but a first row's."""
    rules = ["\\midrule\n" if name and index else "" for index, name in enumerate(categories)]
    return [f"{rule}{escape(name)} & {row}" for rule, name, row in zip(rules, categories, rows, strict=True)]


def _heads(columns: Sequence[Column], before: Sequence[str]) -> list[str]:
    """The settings, each over its columns; then the domains, with the heads of what stands before the methods."""
    names = [escape(printed(column.domain)) + (" (source)" if column.role == "source" else "") for column in columns]
    domains = " & ".join([*before, "method", *names]) + r" \\"
    if not any(column.group for column in columns):
        return [domains]
    groups, rules, start = [""] * (len(before) + 1), [], len(before) + 2
    for group, width in _runs(columns):
        groups.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}")
        rules += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if group else []
        start += width
    return [" & ".join(groups) + r" \\", "".join(rules), domains]


def _runs(columns: Iterable[Column]) -> list[tuple[str, int]]:
    """Neighbouring columns of one setting: its name and how many they are."""
    return [
        (columns_of[0].group, len(columns_of))
        for _, found in itertools.groupby(columns, key=lambda column: column.setting)
        if (columns_of := list(found))
    ]


def _alignment(columns: Iterable[Column]) -> str:
    return "".join("c" * width for _, width in _runs(columns))


def _label(row: Row) -> str:
    return escape(row.label) + (ESCAPES["†"] if row.is_oracle else "")


def _cell(cell: Cell | None, published: float | None) -> str:
    if published is not None:
        return bracketed(_cell(cell, None) if cell else "", published)
    if cell is None:
        return "--"
    text = escape(spread(cell.interval.mean, cell.interval.half))
    text = rf"\textbf{{{text}}}" if cell.is_best else text
    return text + ("$^{*}$" if cell.differs else "") + (ESCAPES["‡"] if cell.num_one_sentiment else "")
