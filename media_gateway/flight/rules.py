"""Which rules this program decides turns by: a fingerprint of the turn machine's source and all it imports of the turns."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_MACHINE = "media_gateway.turns.machine"
_FOLDER = "media_gateway.turns."


@cache
def rules_fingerprint() -> str:
    """Twelve hex digits. Blocking: reads a few source files, the first time."""
    sources: dict[str, bytes] = {}
    wanted = [_MACHINE]
    while wanted:
        name = wanted.pop()
        if name in sources:
            continue
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        sources[name] = Path(spec.origin).read_bytes()
        wanted += [
            node.module
            for node in ast.walk(ast.parse(sources[name]))
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_FOLDER)
        ]
    digest = hashlib.sha256()
    for name in sorted(sources):
        # The tree, so that a comment is no new rule.
        digest.update(f"{name}\n{ast.dump(ast.parse(sources[name]))}\n".encode())
    return digest.hexdigest()[:12]
