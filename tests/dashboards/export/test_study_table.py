"""The LaTeX table of a whole study."""

from __future__ import annotations

from tal_dashboards.export.study_table import MARKS, study_latex
from tal_search.results.overview import overview
from tests.support.small_dashboards import Made


def test_the_table_of_a_study_has_every_value_its_interval_and_its_verdict(swept: Made) -> None:
    data = swept.read()
    found = overview(data)
    text = study_latex(data, found)
    assert text is not None
    lines = [line for line in text.splitlines() if line.endswith(r"\\")][1:]
    assert len(lines) == len(found.curves)
    for line, row in zip(lines, found.curves.to_dict("records"), strict=True):
        cells = [cell.strip() for cell in line.removesuffix(r"\\").split(" & ")]
        assert cells[3].startswith(f"{row['mean']:.1f} ")
        assert cells[2] == f"{row['n']}"
        if row["centre"]:
            assert cells[1].startswith(r"\textbf{")
            assert cells[4:6] == ["", ""]
        else:
            assert cells[4].startswith(f"{row['delta']:+.1f} ".replace("-", "$-$"))
            assert cells[5] == MARKS[row["verdict"]]
    axes = [line.split(" & ")[0] for line in lines if not line.startswith(" ")]
    assert axes == [
        r"$\lambda$ (lambda\_sep)",
        "$h$ (kernel\\_size)",
        r"$\mathrm{tIoU}_{\mathrm{NMS}}$ (inference.nms)",
    ]
    for words in ("mAP@0.5 in \\%", "(simulated data); 3 seeds", r"$\pm$ half their 95 \% intervals"):
        assert words in text
