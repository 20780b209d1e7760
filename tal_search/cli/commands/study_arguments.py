"""Arguments that name a study and override its settings, for the commands that load one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Key, Parsed

if TYPE_CHECKING:
    from tal_search.plan.plan import Plan
    from tal_search.study import Study

STUDY = {"study": Key(required="name one study, e.g. study=thumos_grid; `tal-search list` shows them")}


def study_of(parsed: Parsed) -> Study:
    """The named study with its overrides. Raises InputError with the problems of the arguments and of the study."""
    from tal_search.study import load_study

    with parsed.problems.gather():
        if parsed.values["study"] is not None:
            study = load_study(parsed.values["study"], list(parsed.overrides))
    parsed.problems.raise_if_any()
    return study


def plan_of(parsed: Parsed) -> Plan:
    """The plan of the named study."""
    study = study_of(parsed)

    from tal_search.plan.plan import resolve

    return resolve(study)
