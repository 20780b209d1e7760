"""Arguments that name a study and override its settings, for the commands that resolve one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Key, Parsed
from tal_search.errors import InputError

if TYPE_CHECKING:
    from tal_search.plan.plan import Plan
    from tal_search.study import Study

STUDY = {"study": Key(required="name one study, e.g. study=thumos_grid; `tal-search list` shows them")}


def study_of(parsed: Parsed) -> Study:
    """The named study with its overrides. Raises InputError with what is wrong with the arguments and the study."""
    from tal_search.study import load_study

    problems = list(parsed.problems)
    if parsed.values["study"] is not None:
        try:
            study = load_study(parsed.values["study"], list(parsed.overrides))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return study


def plan_of(parsed: Parsed) -> Plan:
    """The same resolved into a plan."""
    study = study_of(parsed)

    from tal_search.plan.plan import resolve

    return resolve(study)
