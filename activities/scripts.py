"""Which text a call runs: the file's, or the archived one that it was pinned to. One that cannot work is refused."""

from __future__ import annotations

import re
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.script_archive import ScriptArchive
from activities.errors import script_refused
from workflows.contracts.activities import LOAD_SCRIPT, LoadedScript, LoadScript
from workflows.script.parse import ScriptError, content_hash, parse_script

log = structlog.get_logger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class ScriptActivities:
    """Scripts of one folder, and what they once were."""

    def __init__(self, folder: Path, archive: ScriptArchive) -> None:
        self._folder = folder
        self._archive = archive

    @activity.defn(name=LOAD_SCRIPT)
    def load_script(self, wanted: LoadScript) -> LoadedScript:
        """Raises ApplicationError of type SCRIPT_REFUSED; SQLAlchemyError when an archived one cannot be read now."""
        if not _NAME.fullmatch(wanted.script_id):
            raise script_refused(f"{wanted.script_id!r} is not a script's name")
        path = self._folder / f"{wanted.script_id}.yaml"
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError) as error:
            if not wanted.script_hash:
                raise script_refused(f"{path} cannot be read: {error}") from error
            return self._archived(wanted, path, "cannot be read")
        file_hash = content_hash(text)
        if wanted.script_hash not in ("", file_hash):
            return self._archived(wanted, path, f"has hash {file_hash} by now")
        loaded = _sound(text, str(path))
        self._keep(wanted.script_id, loaded)
        return loaded

    def archive_folder(self) -> None:
        """Keep what is in the folder now: a call may be pinned to it before any call has loaded it."""
        for path in sorted(self._folder.glob("*.yaml")):
            try:
                self._keep(path.stem, _sound(path.read_text(encoding="utf-8"), str(path)))
            except (OSError, UnicodeDecodeError, ApplicationError) as error:
                log.error("script_refused", file=str(path), reason=str(error))

    def _archived(self, wanted: LoadScript, path: Path, file_state: str) -> LoadedScript:
        version = self._archive.get(script_id=wanted.script_id, script_hash=wanted.script_hash)
        if version is None:
            raise script_refused(
                f"the call is pinned to {wanted.script_id} with hash {wanted.script_hash}, which was never "
                f"loaded here; {path} {file_state}. Put the file with that content back for one call, "
                "or start the call anew with the script as it is"
            )
        # Sound when it was kept, but perhaps not by today's rules.
        return _sound(version.yaml, f"{wanted.script_id} ({wanted.script_hash})")

    def _keep(self, script_id: str, script: LoadedScript) -> None:
        try:
            self._archive.add(
                script_id=script_id, script_hash=script.content_hash, yaml=script.yaml
            )
        except SQLAlchemyError as error:
            # The call has its script; a database that is away must not keep it from being placed.
            log.error("script_not_archived", script_id=script_id, error=type(error).__name__)


def _sound(text: str, name: str) -> LoadedScript:
    try:
        script = parse_script(text, name=name)
    except ScriptError as error:
        raise script_refused(str(error)) from error
    return LoadedScript(yaml=text, content_hash=script.content_hash)
