"""A finished study with folds, of real fits on a small simulated set of subjects."""

from __future__ import annotations

import json
from pathlib import Path

from tal_search.plan.plan import Plan, resolve
from tal_search.study import load_study
from tests.support.subjects import write_truth

STUDY = """\
description: folds
method: backtal
dataset:
  name: thumos14
  source: simulated
  ground_truth: {truth}
  folds: {{by: 'user(\\d+)', of: {of}}}
  snippets: 48
  simulation: {{channels: 12, action: 8.0, noise: 0.05}}
hyperparameters: {{epochs: 16, learning_rate: 0.005, batch_size: 4}}
inference: {{class_threshold: 0.04}}
protocol: {{tiou: "0.3:0.7:0.2"}}
search:
  {cells}
  repeats: {{seeds: {seeds}}}
resources: {{backend: inline}}
tracking: {{mlflow: false}}
"""


SPACE = {"lambda_sep": {"choices": [0.0, 0.5, 1.0]}, "learning_rate": {"low": 0.001, "high": 0.01}}


def folded_plan(
    folder: Path, *overrides: str, of: int = 3, seeds: tuple[int, ...] = (0,), subjects: int = 6,
    axes: dict[str, list[object]] | None = None, sampler: str = "",
) -> Plan:  # fmt: skip
    """The plan of a study in folds over `subjects`; its runs are in `folder`. sampler: proposes cells of SPACE."""
    studies = folder / "studies"
    studies.mkdir(exist_ok=True, parents=True)
    truth = write_truth(folder, subjects)
    cells = f"axes: {json.dumps(axes or {'lambda_sep': [0.0, 1.0]})}"
    if sampler:
        cells = f"plan: sampler\n  sampler: {sampler}\n  space: {json.dumps(SPACE)}"
    text = STUDY.format(truth=truth, of=of, seeds=list(seeds), cells=cells)
    (studies / "folded.yaml").write_text(text)
    return resolve(load_study("folded", [f"runs={folder / 'runs'}", *overrides], studies))
