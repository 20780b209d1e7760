"""Writes docs/api.md from the docstrings of the public modules: `make docs`.

The sources are parsed, not imported, so neither torch nor Ray is loaded. griffe2md renders each module; this file
chooses the modules and their order, wraps long signatures (griffe2md wraps them only where Black is installed, so the
page would depend on the environment) and removes griffe2md's links, whose anchors exist in no Markdown viewer.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path
from typing import Any

from griffe import GriffeLoader, Module
from griffe2md import render_object_docs

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"

# Heading, then modules; a package stands for its modules, not for its sub-packages.
PARTS = {
    "Notebooks": ("api.loading", "api.running", "api.study_results", "api.trial_outputs"),
    "Words, errors, fields": ("types", "errors", "fields"),
    "Studies": ("study.load", "study.settings", "study.presets", "study.cases", "study.space", "study.samplers"),
    "Plans": ("plan.plan", "plan.cells", "plan.preview"),
    "Results": ("results",),
    "Trials": ("trial.trial_types", "trial.folder", "trial.run", "trial.rescore", "trial.evaluate", "trial.complexity"),
    "Methods": ("methods", "methods.base", "methods.hyperparameters"),
    "Localization": ("localization.activations", "localization.inference", "localization.localize"),
    "Metrics": (
        "metrics.average_precision",
        "metrics.comparison",
        "metrics.error_profile",
        "metrics.instance_buckets",
        "metrics.video_sets",
    ),
    "Data": (
        "data.catalog",
        "data.find",
        "data.load",
        "data.check",
        "data.truth.annotations",
        "data.truth.ambiguous",
        "data.splits",
        "data.clicks",
        "data.features.layouts",
        "data.features.cache",
        "data.features.resampling",
        "data.simulation",
    ),
}
WITHOUT_MODULES = ("methods",)  # one file a method: the page has the contract, docs/extending.md a method

OPTIONS: dict[str, Any] = {
    "docstring_style": None,  # prose, not sections of Google's or NumPy's style
    "show_if_no_docstring": False,
    "show_object_full_path": False,
    "show_root_members_full_path": False,
    "show_signature_annotations": True,
    "show_submodules": False,
    "inherited_members": False,
    "members_order": "source",
    "summary": False,
    "line_length": 100_000,  # never wrapped by Black
    "heading_level": 3,
}
WIDTH = 110  # of a signature in one line
HEAD = """\
<!-- Made from the docstrings by `make docs`; do not edit. -->

# API

The modules that a notebook or another program may call, with their docstrings. Names that begin with `_` and modules
that this page leaves out may change without notice. [Extending](extending.md) shows how to add a method, a dataset and
a figure; the [glossary](glossary.md) explains the words.
"""
SIGNATURE = re.compile(r"(?<=^```python\n)(.+)(?=\n```$)", re.MULTILINE)
DEAD_LINK = re.compile(r"<code>\[([^\]]+)\]\(#[^)]*\)(.*?)</code>")


def page() -> str:
    """The text of docs/api.md."""
    package = GriffeLoader(search_paths=[ROOT], allow_inspection=False).load("tal_search")
    contents, body = [], []
    for title, names in PARTS.items():
        modules = [module for name in names for module in _modules(package[name], name)]
        paths = ", ".join(f"`{module.path.removeprefix('tal_search.')}`" for module in modules)
        contents.append(textwrap.fill(f"- [{title}](#{_anchor(title)}): {paths}", 120, subsequent_indent="  "))
        body += [f"## {title}", *(render_object_docs(module, OPTIONS) for module in modules)]
    text = "\n\n".join([HEAD.strip(), "\n".join(contents), *body])
    text = SIGNATURE.sub(lambda found: _wrapped(found[1]), DEAD_LINK.sub(r"`\1\2`", text))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _modules(module: Module, name: str) -> list[Module]:
    """The module itself, or the modules of a package by name; those without a docstring say nothing to a reader."""
    inside = [one for one in module.members.values() if isinstance(one, Module) and not one.is_package]
    found = [module, *([] if name in WITHOUT_MODULES else sorted(inside, key=lambda one: one.name))]
    return [one for one in found if one.docstring is not None and not one.name.startswith("_")]


def _wrapped(signature: str) -> str:
    """A signature that is longer than WIDTH, with one parameter a line."""
    name, opening, rest = signature.partition("(")
    if len(signature) <= WIDTH or not opening or not name.isidentifier():
        return signature
    [function] = ast.parse(f"def f({rest}: ...").body
    assert isinstance(function, ast.FunctionDef)
    lines = "".join(f"    {parameter},\n" for parameter in _parameters(function.args))
    return f"{name}(\n{lines})" + (f" -> {ast.unparse(function.returns)}" if function.returns else "")


def _parameters(written: ast.arguments) -> list[str]:
    """Each parameter as it is written, with its type and default."""
    defaults = [*[None] * (len(written.args) - len(written.defaults)), *written.defaults]
    given = [*zip(written.args, defaults, strict=True), *zip(written.kwonlyargs, written.kw_defaults, strict=True)]
    texts = [ast.unparse(one) + (f" = {ast.unparse(default)}" if default else "") for one, default in given]
    star = f"*{ast.unparse(written.vararg)}" if written.vararg else "*"
    if written.vararg or written.kwonlyargs:
        texts.insert(len(written.args), star)
    return texts + ([f"**{ast.unparse(written.kwarg)}"] if written.kwarg else [])


def _anchor(heading: str) -> str:
    """The anchor that GitHub and GitLab give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
