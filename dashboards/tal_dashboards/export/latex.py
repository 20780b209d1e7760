"""Tables in LaTeX with booktabs, in ASCII only, so that they compile with every engine and input encoding."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from tal_dashboards.export.names import GREEK
from tal_dashboards.style import shown

PACKAGES = r"% \usepackage{booktabs,graphicx,longtable}"
MOST_FLOAT = 40  # rows of a floating table; longer ones become longtables
MOST_ROWS = 500  # of one table; the CSV has all
TEXT_WIDTH = 345  # points, of the class article
SIZES = (("small", 9, 6), ("footnotesize", 8, 3), ("scriptsize", 7, 3))  # font size and gap between columns in points
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
BASE = rf"[A-Za-z](?:/[A-Za-z])?|[A-Za-z]+(?=_)|[{''.join(GREEK)}]"  # a letter, a ratio, a word with a subscript
LIGATURE = re.compile(r"-(?=-)|'(?=')|`(?=`)|[?!](?=`)|,(?=,)")  # a sign that LaTeX would join with the next one
SYMBOL = re.compile(rf"(?P<base>{BASE})(?P<number>\d*)(?:_(?P<below>\w+))?", re.ASCII)


_MARKUP = str.maketrans(dict.fromkeys("${}\\", ""))


class Table(NamedTuple):
    """columns: l, r or c for each; head, rows, caption: LaTeX code; gaps: rows with extra space above."""

    columns: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    label: str
    gaps: frozenset[int] = frozenset()


def latex(table: pd.DataFrame, caption: str, label: str, symbols: Mapping[str, str] | None = None) -> str:
    """A table as on the page, numbers aligned to the right.

    caption: plain text; label: for `\\ref`, see `label_of`; symbols: of axes by name, set in math mode.
    """
    text = shown(table.drop(columns="mlflow", errors="ignore").head(MOST_ROWS))
    right = ["r" if pd.api.types.is_numeric_dtype(table[name]) else "l" for name in text.columns]
    words = {f"{symbol} ({name})": f"{in_math(symbol)} ({escaped(name)})" for name, symbol in (symbols or {}).items()}
    words |= {symbol: in_math(symbol) for symbol in (symbols or {}).values()}
    head, *rows = ([words.get(str(cell)) or escaped(cell) for cell in row] for row in [[*text], *text.to_numpy()])
    more = f" The first {MOST_ROWS} of {len(table)} rows." if len(table) > MOST_ROWS else ""
    return written_table(Table("".join(right), head, rows, escaped(caption + more), label))


def written_table(table: Table) -> str:
    """The code of a table: a float at most as wide as the text, or a longtable if it is longer than a page."""
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
    r"""The label for `\ref`: letters, digits, underscores and dashes."""
    return f"tab:{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}"


def _size(table: Table) -> tuple[str, bool]:
    """The command for the largest font in which the table fits the text width; whether it must also be scaled."""
    cells = [[len(re.sub(r"\\[A-Za-z]+", "x", cell).translate(_MARKUP)) for cell in row]
             for row in (table.head, *table.rows)]  # fmt: skip
    letters, count = sum(max(column) for column in zip(*cells, strict=True)), len(table.head)
    for name, points, gap in SIZES:
        if letters * points / 2 + 2 * gap * count <= TEXT_WIDTH:
            return rf"\{name}\setlength{{\tabcolsep}}{{{gap}pt}}", False
    return r"\tiny\setlength{\tabcolsep}{2pt}", True


def _row(cells: Sequence[str]) -> str:
    r"""A row; "{}" protects a leading bracket or star, which the `\\` or the rule above would take as an argument."""
    first = "{}" if cells and cells[0].lstrip().startswith(("[", "*", "(")) else ""
    return first + " & ".join(cells) + r" \\"


def in_math(symbol: str) -> str:
    r"""An axis' symbol in math mode, "τ_same" as $\tau_{\mathrm{same}}$; a symbol that is a word stays text."""
    match = SYMBOL.fullmatch(symbol)
    if match is None:
        return escaped(symbol)
    base = match["base"]
    letter = "\\" + GREEK[base] if base in GREEK else base if len(base) == 1 or "/" in base else rf"\mathrm{{{base}}}"
    below = rf"\mathrm{{{escaped(match['below'])}}}" if match["below"] else ""
    index = ",".join(part for part in (match["number"], below) if part)
    return f"${letter}_{{{index}}}$" if index else f"${letter}$"


def escaped(text: object) -> str:
    """Text escaped for LaTeX; characters missing from its standard fonts become "(U+4E00)"."""
    characters = LIGATURE.sub("\\g<0>\0", unicodedata.normalize("NFC", str(text).replace("\0", " ")))
    return "".join("{}" if character == "\0" else _character(character) for character in characters)


def _character(character: str) -> str:
    if character in LATEX:
        return LATEX[character]
    if " " <= character <= "~":
        return character
    if character.isspace() or not character.isprintable():
        return " "
    decomposed = unicodedata.normalize("NFD", character)
    base, marks = decomposed[0], decomposed[1:]
    if not base.isascii() or not base.isalpha() or not marks or not all(mark in ACCENTS for mark in marks):
        return f"(U+{ord(character):04X})"
    for mark in marks:
        base = rf"\{ACCENTS[mark]}{{{base}}}"
    return base
