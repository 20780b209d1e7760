"""Executes docs/notebook.ipynb and keeps what its cells showed: `make notebook`, a minute.

The notebook's own cells are the source; this file runs them in an empty folder and writes their outputs back. Plotly's
figures are kept as data, which Jupyter draws, and as pictures, which every other viewer shows.
"""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go
from nbclient import NotebookClient
from traitlets.config import Config

from tal_dashboards.export.pictures import find_browser, pictures

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")
FIGURE = "application/vnd.plotly.v1+json"
SECONDS = 300  # of one cell
# Plotly's own choice for a kernel adds its 5 MB script to the first figure; threads: for networks this small.
SETTINGS = {"PLOTLY_RENDERER": "plotly_mimetype", "COLUMNS": "110"}


def executed(folder: Path) -> Any:
    """The notebook with the outputs of a run in `folder`. Raises CellExecutionError where a cell does."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    try:
        with tempfile.TemporaryDirectory() as sockets:  # unlike ports, not open to other users of the machine
            NotebookClient(
                notebook, kernel_name="python3", timeout=SECONDS, record_timing=False,
                resources={"metadata": {"path": str(folder)}},
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            ).execute()  # fmt: skip
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


def figures(notebook: Any) -> list[Any]:
    """The outputs that hold a figure, as they are in the notebook."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output for output in outputs if FIGURE in output.get("data", {})]


def draw(notebook: Any, browser: str) -> None:
    """Add a picture to every figure."""
    found = figures(notebook)
    drawn = pictures(browser, {str(place): go.Figure(output.data[FIGURE]) for place, output in enumerate(found)})
    for place, output in enumerate(found):
        output.data["image/png"] = base64.b64encode(drawn[f"{place}.png"]).decode()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        run = executed(Path(made))
    chromium = find_browser()
    assert chromium is not None, "the pictures need a Chromium; install the package chromium"
    draw(run, chromium)
    nbformat.write(run, NOTEBOOK)
