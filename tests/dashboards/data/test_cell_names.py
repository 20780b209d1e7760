"""Names of cells."""

from __future__ import annotations

from tal_dashboards.data.cell_names import names_of
from tests.support.small_dashboards import Made


def test_a_cell_is_named_by_its_settings_off_the_centre(swept: Made, compared: Made) -> None:
    data = swept.read()
    names = names_of(data, data.trials)
    assert {*names} == {"centre", "lambda_sep=0.25", "kernel_size=1", "inference.nms=0.3"}
    assert names[data.trials.index[data.trials["lambda_sep"] == 0.25][0]] == "lambda_sep=0.25"
    cases = compared.read()
    assert {*names_of(cases, cases.trials)} == {*cases.cases}
