"""References of a study to its own values, `${hyperparameters.epochs}`; OmegaConf fills them in.

Its resolvers (`${oc.env:HOME}`) are refused: they would read the environment, and whatever a program registers, into
the record.
"""

from __future__ import annotations

import re

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

REFERENCE = re.compile(r"\$\{([\w-]+(?:\.[\w-]+|\[\d+\])*)\}")
MOST_HOPS = 20  # from a reference to a section over others
MOST_FILLED_IN = 200_000  # characters of a study with its references filled in; each may double what is before it


def refused(text: str) -> str | None:
    """Why a text with `${` is no reference to a value of the study, with the fix; None if every `${` is one."""
    if "${" not in text:
        return None
    rest = REFERENCE.sub("", text)
    if re.search(r"\$\{[^}]*:", rest):
        return "and ${NAME:...} is not filled in, as it reads from outside the study; write the value out"
    try:
        OmegaConf.create([text])
    except OmegaConfBaseException:
        return "broken; write ${KEY} with a key of the study, such as ${hyperparameters.epochs}"
    return "but only ${KEY} is filled in, KEY written out; write it so" if "${" in rest else None


def too_large(tree: DictConfig) -> bool:
    """Whether the tree has more than MOST_FILLED_IN characters once its references are filled in."""
    try:
        return _Sizes(OmegaConf.to_container(tree, resolve=False)).of(()) > MOST_FILLED_IN
    except RecursionError:  # a chain of hundreds
        return True


Key = tuple[str, ...]


class _Sizes:
    """Sizes in characters by key, with the references in them filled in; computed, not built."""

    def __init__(self, content: object) -> None:
        self._content = content
        self._known: dict[Key, int] = {}
        self._nodes: dict[Key, object] = {}

    def of(self, key: Key) -> int:
        if key not in self._known:
            self._known[key] = 0  # of a reference to itself, which OmegaConf reports
            self._known[key] = self._size(self._at(key))
        return self._known[key]

    def _at(self, key: Key) -> object:
        """The node at a key, whose sections may be references themselves; None if there is none."""
        if key in self._nodes or not key:
            return self._nodes.get(key, self._content)
        self._nodes[key] = None  # for a circle
        section, name = self._at(key[:-1]), key[-1]
        for _ in range(MOST_HOPS):
            whole = REFERENCE.fullmatch(section) if isinstance(section, str) else None
            section = self._at(_key(whole[1])) if whole else section
        if isinstance(section, dict):
            self._nodes[key] = section.get(name)
        elif isinstance(section, list) and name.isdecimal() and int(name) < len(section):
            self._nodes[key] = section[int(name)]
        return self._nodes[key]

    def _size(self, node: object) -> int:
        if isinstance(node, dict):
            return sum(len(str(name)) + self._size(value) for name, value in node.items())
        if isinstance(node, list):
            return sum(map(self._size, node))
        text = str(node)
        return 1 + len(text) + sum(self.of(_key(found[1])) for found in REFERENCE.finditer(text))


def _key(path: str) -> Key:
    return tuple(re.split(r"[.\[]", path.replace("]", "")))
