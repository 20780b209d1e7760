"""Figures as SVG and PNG, and HTML as PDF, made by headless Chromium without further packages."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH, HEIGHT, PNG_SCALE = 900, 480, 1.5  # default size in pixels; PNGs are drawn this many times larger
SECONDS = 120  # until the browser is given up
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--virtual-time-budget=100000",
)  # fmt: skip
SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const out = document.getElementById("pictures");
(async () => {
  for (const [name, figure] of Object.entries(figures)) {
    for (const [format, scale] of [["svg", 1], ["png", %g]]) {
      const [width, height] = [figure.layout.width || %d, figure.layout.height || %d];
      const url = await Plotly.toImage(figure, {format, scale, width, height});
      const line = document.createElement("pre");
      line.textContent = name + " " + format + " " + url;
      out.append(line);
    }
  }
})();
"""


def find_browser() -> str | None:
    """The program in BROWSER_PATH, or an installed Chromium; None if there is neither."""
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


def pictures(browser: str, figures: Mapping[str, go.Figure]) -> dict[str, bytes]:
    """Files NAME.svg and NAME.png of each figure, without those that the browser failed to draw."""
    numbered = {str(number): json.loads(figure.to_json()) for number, figure in enumerate(figures.values())}
    # Without "<", no text of the figures can close the script element.
    content = json.dumps(numbered).replace("<", "\\u003c")
    page = (
        '<!doctype html><meta charset="utf-8"><div id="pictures"></div>'
        f'<script id="figures" type="application/json">{content}</script>'
        f"<script>{get_plotlyjs()}</script><script>{SCRIPT % (PNG_SCALE, WIDTH, HEIGHT)}</script>"
    )
    with tempfile.TemporaryDirectory(prefix="tal-search-") as folder:
        text = _run(browser, Path(folder), page, "--dump-dom")
    names, files = list(figures), {}
    for number, kind, url in re.findall(r"<pre>(\d+) (svg|png) data:([^<]*)</pre>", text):
        encoded, _, body = url.partition(",")
        try:
            picture = base64.b64decode(body) if encoded.endswith(";base64") else unquote(body).encode()
        except binascii.Error:
            continue
        files[f"{names[int(number)]}.{kind}"] = picture
    return files


def pdf(browser: str, page: str) -> bytes | None:
    """The PDF that the browser prints of an HTML page; None on failure."""
    with tempfile.TemporaryDirectory(prefix="tal-search-") as folder:
        path = Path(folder) / "page.pdf"
        _run(
            browser, Path(folder), page, "--no-pdf-header-footer", "--print-to-pdf-no-header", f"--print-to-pdf={path}"
        )
        content = path.read_bytes() if path.exists() else b""
    return content if content.startswith(b"%PDF-") else None


def _run(browser: str, folder: Path, page: str, *flags: str) -> str:
    """Run the browser on a page; returns its output, "" if it does not start or does not end."""
    path = folder / "page.html"
    path.write_text(page, "utf-8")
    command = [browser, *FLAGS, f"--user-data-dir={folder}/profile", *flags, path.as_uri()]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.decode("utf-8", "replace")
