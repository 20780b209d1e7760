"""Figures as SVG and PNG, and a page as PDF, by a Chromium without a window: no package is needed beyond it."""

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
WIDTH, HEIGHT, PNG_SCALE = 900, 480, 1.5
SECONDS = 120
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
    """The Chromium of BROWSER_PATH, or one that is installed."""
    return os.environ.get("BROWSER_PATH") or next((found for name in BROWSERS if (found := shutil.which(name))), None)


def pictures(browser: str, figures: Mapping[str, go.Figure]) -> dict[str, bytes]:
    """Files by name, NAME.svg and NAME.png of each figure; those that the browser did not draw are missing."""
    numbered = {str(place): json.loads(figure.to_json()) for place, figure in enumerate(figures.values())}
    # "<" never stands in the page's data, so no name can end its element.
    content = json.dumps(numbered).replace("<", "\\u003c")
    page = (
        '<!doctype html><meta charset="utf-8"><div id="pictures"></div>'
        f'<script id="figures" type="application/json">{content}</script>'
        f"<script>{get_plotlyjs()}</script><script>{SCRIPT % (PNG_SCALE, WIDTH, HEIGHT)}</script>"
    )
    with tempfile.TemporaryDirectory(prefix="tal-search-") as folder:
        text = _run(browser, Path(folder), page, "--dump-dom")
    names, found = list(figures), {}
    for place, kind, url in re.findall(r"<pre>(\d+) (svg|png) data:([^<]*)</pre>", text):
        encoded, _, body = url.partition(",")
        try:
            picture = base64.b64decode(body) if encoded.endswith(";base64") else unquote(body).encode()
        except binascii.Error:
            continue
        found[f"{names[int(place)]}.{kind}"] = picture
    return found


def pdf(browser: str, page: str) -> bytes | None:
    """A page of HTML as the browser prints it; None where it does not."""
    with tempfile.TemporaryDirectory(prefix="tal-search-") as folder:
        path = Path(folder) / "page.pdf"
        _run(
            browser, Path(folder), page, "--no-pdf-header-footer", "--print-to-pdf-no-header", f"--print-to-pdf={path}"
        )
        content = path.read_bytes() if path.exists() else b""
    return content if content.startswith(b"%PDF-") else None


def _run(browser: str, folder: Path, page: str, *flags: str) -> str:
    """What the browser prints of a page; "" where it cannot be started or does not end."""
    path = folder / "page.html"
    path.write_text(page, "utf-8")
    command = [browser, *FLAGS, f"--user-data-dir={folder}/profile", *flags, path.as_uri()]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.decode("utf-8", "replace")
