"""Command-line overrides in Hydra's grammar: KEY=VALUE, +KEY=VALUE, ++KEY=VALUE, ~KEY and ~KEY=VALUE.

Every key of a study has a default, so `+` and `++` mean the same as no sign. A mapping merges into the file's, any
other value replaces it, as in Hydra. Sweeps (`a=1,2`) are refused: a study has axes instead.
"""

from __future__ import annotations

import re

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tal_search.config.yaml_reader import INVALID, Invalid, Key, Reader, Written, shown
from tal_search.text.printable import first_line
from tal_search.text.urls import masked
from tal_search.types import Plain

SHORT_FORMS = {"backend": "resources.backend"}
# The name of a case is free text, except for the characters that end a key.
KEY = r"[\w-]+(\.[\w-]+)*|search\.cases\.[^.=\[\]]+(\.[\w-]+)*"
OVERRIDE = re.compile(rf"(?P<sign>\+\+|\+|~)?(?P<key>{KEY})(=(?P<value>.*))?", re.DOTALL)
SWEEP_FUNCTION = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag)\(.*\)", re.DOTALL)
MAPPING_KEY = re.compile(r"\s*[\w.-]+:")


def apply_override(written: Written, text: str) -> None:
    """Change the tree by one override; problems are reported."""
    place = f"command line: {masked(text)}"
    if any("\ud800" <= character <= "\udfff" for character in text):  # bytes of a path that are no UTF-8
        written.problems.add(f"{place}: is not UTF-8 text; rename the file, or link to it under another name")
        return
    match = OVERRIDE.fullmatch(text.strip())
    if match is None or (match["value"] is None and match["sign"] != "~"):
        written.problems.add(f"{place}: is not KEY=VALUE; write for example 'search.repeats.seeds=[0,1]'")
        return
    name = SHORT_FORMS.get(match["key"], match["key"])
    key = tuple(name.split("."))
    if "${" in name:
        written.problems.add(f"{place}: the key has ${{...}}, which is not filled in; write it out")
        return
    reader = Reader(place, numbered=False)
    value = None if match["value"] is None else _value(name, match["value"].strip(), reader)
    written.problems.extend(reader.problems)
    if value is INVALID or reader.problems:
        return
    try:
        if match["sign"] == "~":
            _delete(written, key, place, match["value"] is not None, value)
        else:
            OmegaConf.update(written.tree, name, value, merge=True)
            _note(written, key, value, place)
    except (OmegaConfBaseException, ValueError, IndexError, TypeError) as error:
        written.problems.add(f"{place}: {name} cannot be set ({first_line(error)}); give its whole section or list")


def _value(name: str, text: str, reader: Reader) -> Plain | Invalid:
    """The value of an override; INVALID if there is a problem, which is reported."""
    if not text:
        reader.problems.add(f"{reader.source}: {name} has no value; write {name}=VALUE, or ~{name} for the default")
        return INVALID
    spaced, comma = _scan(text)
    if comma or SWEEP_FUNCTION.fullmatch(text):
        axis = (
            name.removeprefix("hyperparameters.")
            if name.startswith(("hyperparameters.", "inference.", "supervision."))
            else "NAME"
        )
        reader.problems.add(
            f"{reader.source}: {name} has several values, and sweeps are not read; "
            f"give an axis a list instead: search.axes.{axis}=[VALUE,VALUE]"
        )
        return INVALID
    key = tuple(name.split("."))
    return reader.read(spaced, key) if text[0] in "[{'\"" else reader.scalar(text, key, quoted=False)


def _scan(text: str) -> tuple[str, bool]:
    """The text with the space that YAML needs after a mapping's colons, and whether it has a comma outside brackets."""
    parts, open_brackets, quote, comma, position = [], "", "", False, 0
    while position < len(text):
        sign = text[position]
        parts.append(sign)
        position += 1
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "[{":
            open_brackets += sign
        elif sign in "]}":
            open_brackets = open_brackets[:-1]
        comma = comma or (sign == "," and not open_brackets and not quote)
        key = MAPPING_KEY.match(text, position)
        if sign in "{," and open_brackets.endswith("{") and not quote and key:
            parts.append(key[0] + " ")
            position = key.end()
    return "".join(parts), comma


def _delete(written: Written, key: Key, place: str, wants_value: bool, value: Plain) -> None:
    parent = OmegaConf.select(written.tree, ".".join(key[:-1])) if key[:-1] else written.tree
    if not isinstance(parent, DictConfig) or key[-1] not in parent:
        written.problems.add(f"{place}: {'.'.join(key)} is not given by the study, so there is nothing to delete")
    elif wants_value and parent[key[-1]] != value:
        given = OmegaConf.to_container(OmegaConf.create([parent[key[-1]]]))[0]  # type: ignore[index]
        written.problems.add(f"{place}: {'.'.join(key)} is {shown(given)}, not {shown(value)}; delete it by ~KEY")
    else:
        del parent[key[-1]]
        _forget(written, key)


def _note(written: Written, key: Key, value: Plain, place: str) -> None:
    """Remember where a value was written: a mapping merges into the earlier one, any other value replaces it."""
    if isinstance(value, dict) and value:
        written.places.setdefault(key, place)
        for name, inner in value.items():
            _note(written, (*key, name), inner, place)
    else:
        _forget(written, key)
        written.places[key] = place


def _forget(written: Written, key: Key) -> None:
    written.places = {known: place for known, place in written.places.items() if known[: len(key)] != key}
