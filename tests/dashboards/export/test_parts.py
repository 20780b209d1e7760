"""Tables and figures as HTML."""

from __future__ import annotations

import pandas as pd

from tal_dashboards.export.parts import html_figure, html_table
from tal_dashboards.style import figure


def test_text_is_escaped_and_rows_are_counted() -> None:
    frame = pd.DataFrame({"<b>": ["<i>", "b", "c"], "n": [1, 2, 3]})
    text = html_table(frame, "A & B", "an id", most=2)
    assert "&lt;b&gt;" in text
    assert '<td>&lt;i&gt;</td><td class="number">1</td>' in text
    assert "<caption>A &amp; B (the first 2 of 3 rows)</caption>" in text
    assert ' id="an id"' in text
    assert ">3<" not in text


def test_a_high_figure_is_printed_in_portrait() -> None:
    assert '<figure id="x" class="tall">' in html_figure(figure("", "", height=900), "words", "x")
    assert html_figure(figure("", ""), "<b>", "x").endswith("<figcaption>&lt;b&gt;</figcaption></figure>")
