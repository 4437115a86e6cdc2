"""Reads a script from the scripts folder and refuses one that cannot work, with file, line and remedy."""

from __future__ import annotations

import re
from pathlib import Path

from temporalio import activity

from activities.errors import script_refused
from workflows.contracts.activities import LOAD_SCRIPT, LoadedScript, LoadScript
from workflows.script.parse import ScriptError, parse_script

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class ScriptActivities:
    """Scripts of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @activity.defn(name=LOAD_SCRIPT)
    def load_script(self, wanted: LoadScript) -> LoadedScript:
        """Raises ApplicationError of type SCRIPT_REFUSED."""
        if not _NAME.fullmatch(wanted.script_id):
            raise script_refused(f"{wanted.script_id!r} is not a script's name")
        path = self._folder / f"{wanted.script_id}.yaml"
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise script_refused(f"{path} cannot be read: {error}") from error
        try:
            script = parse_script(text, name=str(path))
        except ScriptError as error:
            raise script_refused(str(error)) from error
        if wanted.script_hash and wanted.script_hash != script.content_hash:
            raise script_refused(
                f"{path} has hash {script.content_hash}, not the {wanted.script_hash} that was asked for"
            )
        return LoadedScript(yaml=text, content_hash=script.content_hash)
