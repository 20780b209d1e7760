"""The rescore command: further inference settings for the finished fits of a study, without training anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.errors import InputError

if TYPE_CHECKING:
    from tal_search.study import Study

USAGE = """\
tal-search rescore study=NAME inference.NAME=[VALUE,...] ... [KEY=VALUE ...]

Scores the finished fits of a planned study with further inference settings, from their kept activations; nothing is
trained. The values become axes of the study for this run; each other KEY=VALUE must be as it was when the study ran.
  tal-search rescore study=thumos_grid inference.nms=[0.4,0.5,0.6] inference.outer_margin=[0.1,0.4]
"""


def overrides_of(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What names the study as it ran, and the wanted settings as axes of it. Raises InputError where none is given."""
    wanted = [argument for argument in arguments if argument.startswith("inference.")]
    single = [argument for argument in wanted if not argument.partition("=")[2].startswith("[")]
    if single:
        raise InputError(f"command line: {one}: give a list of values, {one.partition('=')[0]}=[...]" for one in single)
    if not wanted:
        raise InputError("command line: name at least one inference setting, e.g. inference.nms=[0.4,0.5,0.6]")
    return [argument for argument in arguments if argument not in wanted], [f"search.axes.{one}" for one in wanted]


def refuse_sampler(study: Study) -> None:
    """Raises InputError for a sampler's study.

    What its cells are compared by is the space it began with; settings from outside would make several cells one.
    """
    if study.search.plan == "sampler":
        raise InputError(
            f"{study.name} is a sampler's study, whose cells are those of its search.space; score its best cell with a "
            "planned study under another name, which takes the finished fits of equal settings: plan: grid, that "
            "cell's hyperparameters, protocol.selection: holdout, and search.axes.inference.NAME=[VALUE,...]"
        )
