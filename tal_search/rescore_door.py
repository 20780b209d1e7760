"""The rescore command: further inference settings for the finished fits of a study, without training anything."""

from __future__ import annotations

from tal_search.errors import InputError

USAGE = """\
tal-search rescore study=NAME inference.NAME=[VALUE,...] ... [KEY=VALUE ...]

Scores the finished fits of a planned study with further inference settings, from their kept activations; nothing is
trained. The values become axes of the study for this run; each other KEY=VALUE must be as it was when the study ran.
  tal-search rescore study=thumos_grid inference.nms=[0.4,0.5,0.6] inference.outer_margin=[0.1,0.4]
"""


def overrides_of(arguments: list[str]) -> list[str]:
    """The overrides of a run that has the wanted settings as axes. Raises InputError where none is given."""
    axes = [argument for argument in arguments if argument.startswith("inference.")]
    single = [argument for argument in axes if not argument.partition("=")[2].startswith("[")]
    if single:
        raise InputError(f"command line: {one}: give a list of values, {one.partition('=')[0]}=[...]" for one in single)
    if not axes:
        raise InputError("command line: name at least one inference setting, e.g. inference.nms=[0.4,0.5,0.6]")
    rest = [argument for argument in arguments if argument not in axes]
    return [*rest, *(f"search.axes.{argument}" for argument in axes)]
