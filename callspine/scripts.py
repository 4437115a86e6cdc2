"""Which files of the scripts folder can be used: at the command line a bad one is refused, at a gateway's start passed over."""

from __future__ import annotations

from pathlib import Path

import structlog

from callspine.settings import SettingsError
from media_gateway.knowledge.passages import names_in
from workflows.script.model import Script
from workflows.script.parse import ScriptError, parse_script

log = structlog.get_logger(__name__)


def read_script(path: Path) -> Script:
    """Load a script. Raises SettingsError with every problem's file, line and remedy."""
    try:
        return _read(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except ScriptError as error:
        raise SettingsError(f"the script is refused\n{error}") from None


def _read(path: Path) -> Script:
    """With the documents at hand, what its stages may quote is checked against them."""
    text = path.read_text(encoding="utf-8")
    script = parse_script(text, name=str(path))
    folder = path.parent / (script.knowledge or "")
    if any(stage.knowledge for stage in script.stages.values()) and folder.is_dir():
        return parse_script(text, name=str(path), passages=names_in(folder))
    return script


def usable_scripts(folder: Path) -> dict[Path, Script]:
    """Every good script of a folder. One bad file must not keep a gateway from its calls: it is told of and left out."""
    found: dict[Path, Script] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[path] = read_script(path)
        except SettingsError as error:
            log.error("script_refused", file=str(path), reason=str(error))
    return found
