"""What an installation brings: nothing of a size that only a model's training, or a router of others, would need."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = Path("requirements.lock").read_text(encoding="utf-8")
LOCKED = {
    canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)
}
HEAVY = re.compile(
    r"torch.*|nvidia-.*|triton|tensorflow.*|jax.*|transformers|sentence-transformers|litellm|routellm|fastembed|datasets|pandas"
)


def named(requirements: list[str], extra: str = "") -> set[NormalizedName]:
    """Names of those that this machine would install."""
    made = map(Requirement, requirements)
    return {
        canonicalize_name(one.name)
        for one in made
        if one.marker is None or one.marker.evaluate({"extra": extra})
    }


def heavy(names: set[NormalizedName]) -> set[NormalizedName]:
    return {name for name in names if HEAVY.fullmatch(name)}


def test_what_is_locked_brings_no_torch() -> None:
    """The default set, its stand-ins and the tools."""
    assert heavy(LOCKED) == set()


def test_all_that_an_installation_without_extras_asks_for_is_locked() -> None:
    """Else the test above would look at another set."""
    assert named(PROJECT["dependencies"]) <= LOCKED


def test_no_torch_is_behind_any_requirement_of_the_default_set() -> None:
    """Followed through what is installed here, whatever the lock says."""
    todo, seen = named(PROJECT["dependencies"]), set[NormalizedName]()
    while todo:
        name = todo.pop()
        seen.add(name)
        try:
            todo |= named(requires(name) or []) - seen
        except PackageNotFoundError:
            continue  # another system's
    assert len(seen) > 60, "it was followed"
    assert heavy(seen) == set()


def test_the_router_that_needs_torch_is_an_extra_of_its_own() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {name for name, needs in extras.items() if heavy(named(needs, name))} == {"router"}
