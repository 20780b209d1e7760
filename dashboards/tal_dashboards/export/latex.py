"""Tables in LaTeX, for booktabs: ASCII alone, so that every engine and every encoding takes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from tal_dashboards.export.names import GREEK
from tal_dashboards.style import shown

PACKAGES = r"% \usepackage{booktabs,graphicx,longtable}"
MOST_FLOAT = 40  # rows of a table that stays on one page; a longer one is a longtable
MOST_ROWS = 500  # of one table; the CSV has all
TEXT_WIDTH = 345  # points, of the class article
SIZES = (("small", 9, 6), ("footnotesize", 8, 3), ("scriptsize", 7, 3))  # with points of a letter and between columns
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$",
    "–": "--", "—": "---", "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$",
    "→": r"$\to$", "√": r"$\surd$", "∞": r"$\infty$", "‖": r"$\|$", "†": r"$\dagger$", "…": r"\dots{}",
    "“": "``", "”": "''", "‘": "`", "’": "'", "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "ı": r"\i{}",
    **{letter: rf"$\{name}$" for letter, name in GREEK.items()},
}  # fmt: skip
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c",
}  # fmt: skip
BASE = rf"[A-Za-z](?:/[A-Za-z])?|[A-Za-z]+(?=_)|[{''.join(GREEK)}]"  # a letter, a ratio, a word with an index
SYMBOL = re.compile(rf"(?P<base>{BASE})(?P<number>\d*)(?:_(?P<below>\w+))?", re.ASCII)


_MARKUP = str.maketrans(dict.fromkeys("${}\\", ""))


class Table(NamedTuple):
    """columns: an l, r or c for each; head and rows: cells that are LaTeX by now; gaps: rows before which there is
    some space; caption: LaTeX.
    """

    columns: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    label: str
    gaps: frozenset[int] = frozenset()


def latex(table: pd.DataFrame, caption: str, label: str, symbols: Mapping[str, str] | None = None) -> str:
    """A table of numbers as on the page, numbers to the right.

    caption: text; label: of `\\ref`, letters and dashes; symbols: those of the axes by name, which become math.
    """
    text = shown(table.drop(columns="mlflow", errors="ignore").head(MOST_ROWS))
    right = ["r" if pd.api.types.is_numeric_dtype(table[name]) else "l" for name in text.columns]
    words = {f"{symbol} ({name})": f"{in_math(symbol)} ({escaped(name)})" for name, symbol in (symbols or {}).items()}
    words |= {symbol: in_math(symbol) for symbol in (symbols or {}).values()}
    head, *rows = ([words.get(str(cell)) or escaped(cell) for cell in row] for row in [[*text], *text.to_numpy()])
    more = f" The first {MOST_ROWS} of {len(table)} rows." if len(table) > MOST_ROWS else ""
    return written_table(Table("".join(right), head, rows, escaped(caption + more), label))


def written_table(table: Table) -> str:
    """A float as wide as the text at most, or a longtable where it is longer than a page."""
    caption, head = rf"\caption{{{table.caption}}}\label{{{label_of(table.label)}}}", _row(table.head)
    size, wide = _size(table)
    rows = ["\\addlinespace\n" + _row(row) if at in table.gaps else _row(row) for at, row in enumerate(table.rows)]
    top = [r"\toprule", head, r"\midrule"]
    if len(rows) > MOST_FLOAT:
        begin = [rf"{{{size}", rf"\begin{{longtable}}{{{table.columns}}}", caption + r" \\", *top, r"\endfirsthead"]
        lines = [*begin, *top, r"\endhead", r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}}"]
        return "\n".join([PACKAGES, *lines, ""])
    box = [r"\resizebox{\linewidth}{!}{%"] if wide else []
    body = [*box, rf"\begin{{tabular}}{{{table.columns}}}", *top, *rows, r"\bottomrule", r"\end{tabular}" + "}" * wide]
    return "\n".join([PACKAGES, r"\begin{table}", r"\centering", caption, size, *body, r"\end{table}", ""])


def label_of(name: str) -> str:
    """The label that a table is referred to by."""
    return f"tab:{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}"


def _size(table: Table) -> tuple[str, bool]:
    """The command for the largest type at which a table is as wide as the text; whether it is wider in any case."""
    cells = [[len(re.sub(r"\\[A-Za-z]+", "x", cell).translate(_MARKUP)) for cell in row]
             for row in (table.head, *table.rows)]  # fmt: skip
    letters, count = sum(max(column) for column in zip(*cells, strict=True)), len(table.head)
    for name, points, gap in SIZES:
        if letters * points / 2 + 2 * gap * count <= TEXT_WIDTH:
            return rf"\{name}\setlength{{\tabcolsep}}{{{gap}pt}}", False
    return r"\tiny\setlength{\tabcolsep}{2pt}", True


def _row(cells: Sequence[str]) -> str:
    """A line of a table; one that began with a bracket or a star would be read as an option of the line before."""
    first = "{}" if cells and cells[0].startswith(("[", "*")) else ""
    return first + " & ".join(cells) + r" \\"


def in_math(symbol: str) -> str:
    r"""A symbol of an axis as math, "τ_same" as $\tau_{\mathrm{same}}$; one that is a word stays text."""
    found = SYMBOL.fullmatch(symbol)
    if found is None:
        return escaped(symbol)
    base = found["base"]
    letter = "\\" + GREEK[base] if base in GREEK else base if len(base) == 1 or "/" in base else rf"\mathrm{{{base}}}"
    below = rf"\mathrm{{{escaped(found['below'])}}}" if found["below"] else ""
    index = ",".join(part for part in (found["number"], below) if part)
    return f"${letter}_{{{index}}}$" if index else f"${letter}$"


def escaped(text: object) -> str:
    """Text for LaTeX; a character that its standard fonts lack as (U+4E00)."""
    return "".join(_character(one) for one in unicodedata.normalize("NFC", str(text)))


def _character(one: str) -> str:
    if one in LATEX:
        return LATEX[one]
    if " " <= one <= "~":
        return one
    if one.isspace() or not one.isprintable():
        return " "
    apart = unicodedata.normalize("NFD", one)
    base, marks = apart[0], apart[1:]
    if not base.isascii() or not base.isalpha() or not marks or not all(mark in ACCENTS for mark in marks):
        return f"(U+{ord(one):04X})"
    for mark in marks:
        base = rf"\{ACCENTS[mark]}{{{base}}}"
    return base
