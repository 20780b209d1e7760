"""Files found by name: NAME.yaml in a folder of the working directory, or else among those installed with the code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tal_search.config.yaml_reader import MOST_CHARACTERS, Written, read_yaml
from tal_search.files.json_reader import require_regular

CODE = Path(__file__).resolve().parents[1]
NAME = re.compile(r"[A-Za-z0-9_-]+")
ENDING = ".yaml"
MOST_BYTES = 4 * MOST_CHARACTERS  # of UTF-8


class Listed(NamedTuple):
    """A file that a name leads to.

    origin: "./studies" (in the working folder), "tal_search" (installed with it) or "repository" (in the checkout of
    this code). replaces: the origin of another file with the same name, which it hides, or "".
    """

    name: str
    description: str
    origin: str
    replaces: str


@dataclass(frozen=True)
class NamedFiles:
    """The files NAME.yaml of one kind. folder: its name, such as `studies`; dots: see `read_yaml`."""

    folder: str
    dots: bool = True

    @property
    def installed(self) -> Path:
        """An installed package has the folder inside; a checkout has it at its top."""
        inside, at_top = CODE / self.folder, CODE.parent / self.folder
        return at_top if not inside.is_dir() and (CODE.parent / "pyproject.toml").is_file() else inside

    def files(self, own: Path | None = None) -> dict[str, Path]:
        """Paths by name; those of `own`, by default the folder in the working directory, hide installed ones."""
        own = Path(self.folder) if own is None else own
        paths = [*self.installed.glob(f"*{ENDING}"), *own.glob(f"*{ENDING}")]
        return {path.stem: path for path in paths if NAME.fullmatch(path.stem)}

    def listed(self, own: Path | None = None) -> list[Listed]:
        """Every file of `files`, by name, with the first line of its description."""
        own, installed = Path(self.folder) if own is None else own, self.installed
        elsewhere = "tal_search" if installed.parent == CODE else "repository"
        found = []
        for name, path in sorted(self.files(own).items()):
            written = self.read(path, path.name)
            description = str(written.content().get("description", "")).strip().split("\n")[0]
            mine = path.parent != installed
            hides = mine and own.resolve() != installed and (installed / path.name).is_file()
            origin, replaces = f"./{own.name}" if mine else elsewhere, elsewhere if hides else ""
            found.append(Listed(name, "cannot be read" if written.problems else description, origin, replaces))
        return found

    def shown(self, path: Path, own: Path | None = None) -> str:
        """A file as messages name it: studies/NAME.yaml of the working folder, or the installed path."""
        own = Path(self.folder) if own is None else own
        mine = path.parent != self.installed or own.resolve() == self.installed
        return f"{self.folder}/{path.name}" if mine else str(path)

    def read(self, path: Path, source: str) -> Written:
        """The content of a file; `source` names it in messages. A file that cannot be read is a problem in it."""
        try:
            require_regular(path)
            size = path.stat().st_size
            if size > MOST_BYTES:
                return _unread(source, f"has {size} bytes; at most {MOST_CHARACTERS} characters are read, shorten it")
            return read_yaml(path.read_text("utf-8"), source, dots=self.dots)
        except UnicodeDecodeError as error:
            return _unread(source, f"cannot be read ({error}); write it as UTF-8 text")
        except (OSError, ValueError) as error:
            seen = getattr(error, "strerror", None) or error
            seen = "it is a link to nothing" if path.is_symlink() and isinstance(error, FileNotFoundError) else seen
            return _unread(source, f"cannot be read ({seen}); give a YAML file")


def _unread(source: str, sentence: str) -> Written:
    written = Written(source)
    written.problems.add(f"{source}: {sentence}")
    return written
