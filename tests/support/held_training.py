"""`tal-search run` whose trainings pause in their third epoch until a file appears; not a test itself.

Each makes `waits` in its trial's folder and goes on once `goes_on` is there. The grace period for an epoch under way is
long, because test machines are busy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from unittest.mock import patch

from tal_search.cli.main import main
from tal_search.execution import backends, interrupts
from tal_search.execution.worker import Step, Training
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec

EPOCH = 3
STEP_SECONDS = 1.0  # the time that Ray's workers train between two messages, so that none begins a fourth epoch


class Held(Training):
    def __call__(self, spec: TrialSpec, folder: TrialFolder) -> Generator[Step, None, None]:
        from tal_search.trial.loop import Fit

        plain = Fit.epoch

        def epoch(fit: Fit, number: int) -> dict[str, float]:
            if number == EPOCH:
                (folder.path / "waits").touch()
                while not (folder.path / "goes_on").exists():
                    time.sleep(0.01)
                time.sleep(STEP_SECONDS)
            return plain(fit, number)

        with patch.object(Fit, "epoch", epoch):
            yield from super().__call__(spec, folder)


if __name__ == "__main__":
    interrupts.GRACE_SECONDS = 600.0
    backends.Training = Held  # type: ignore[misc]
    sys.exit(main(["run", *sys.argv[1:]]))
