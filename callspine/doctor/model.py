"""Checks a model with one turn of a script, through BAML: a move that is allowed, and words."""

from __future__ import annotations

import httpx

from callspine.doctor.findings import AilingError, Check, Told
from callspine.scripts import usable_scripts
from callspine.settings import PREFIX, Settings, base_url
from media_gateway.errors import NoUsableReply
from media_gateway.ports import Dialogue, MoveChosen, ReplyRequest, ReplyTrace, WordsWritten
from workflows.script.machine import initial_state
from workflows.script.model import Script

CALLER_WORDS = "Yes, sure."
ANSWER_WITHIN_S = 15.0
_STATUS_WITHIN_S = 5.0
_REMEDIES = {
    "timeout": f"the model is too slow for a call, or away: another {PREFIX}LLM_MODEL, or a larger "
    f"{PREFIX}LLM_FIRST_TOKEN_TIMEOUT_S",
    "malformed": f"the model does not keep to the reply's type: choose a stronger {PREFIX}LLM_MODEL",
    "move": f"the model makes up moves: choose a stronger {PREFIX}LLM_MODEL",
}
_UNREACHABLE = f"see {PREFIX}LLM_BASE_URL and the network's way there"


def model_check(
    name: str, dialogue: Dialogue, settings: Settings, http: httpx.AsyncClient
) -> Check:
    """One turn, unless there is no script to take it from."""

    async def ask() -> Told:
        script = _script(settings)
        await (
            dialogue.warm()
        )  # as before a call's first turn: BAML's own start is none of the model's time
        trace = ReplyTrace()
        request = ReplyRequest(
            script=script, state=initial_state(script), caller_words=CALLER_WORDS
        )
        move, words = "", ""
        try:
            async for part in dialogue.reply(request, trace):
                match part:
                    case MoveChosen():
                        move = part.move
                    case WordsWritten():
                        words += part.text
        except NoUsableReply as error:
            raise await _ailing(error.reason, settings, http) from None
        if not move or not words:
            raise AilingError("a reply without move or words", _REMEDIES["malformed"])
        took_ms = None
        if trace.request_sent_s is not None and trace.first_token_s is not None:
            took_ms = (trace.first_token_s - trace.request_sent_s) * 1000
        return Told(
            what=f"a turn through BAML: the move `{move}` and {len(words.split())} words; time to its first token",
            took_ms=took_ms,
        )

    return Check(name=f"model: {name}", ask=ask, remedy=_UNREACHABLE, within_s=ANSWER_WITHIN_S)


def _script(settings: Settings) -> Script:
    scripts = {script.script_id: script for script in usable_scripts(settings.scripts_dir).values()}
    script = scripts.get(settings.inbound_script) or next(iter(scripts.values()), None)
    if script is None:
        raise AilingError(
            f"no usable script in {settings.scripts_dir} to ask a turn of",
            f"set {PREFIX}SCRIPTS_DIR; `callspine script check FILE` tells what is wrong with one",
        )
    return script


async def _ailing(reason: str, settings: Settings, http: httpx.AsyncClient) -> AilingError:
    """The dialogue only says `http`: the list of models says which."""
    if reason != "http":
        return AilingError(f"no usable reply: {reason}", _REMEDIES.get(reason, _UNREACHABLE))
    try:
        answer = await http.get(
            f"{base_url(settings.llm_base_url)}/models",
            headers={"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"},
            timeout=_STATUS_WITHIN_S,
        )
    except httpx.HTTPError as error:
        return AilingError(type(error).__name__, _UNREACHABLE)
    if answer.status_code in (401, 403):
        return AilingError(
            f"HTTP {answer.status_code}", f"the key is refused: set {PREFIX}LLM_API_KEY"
        )
    return AilingError(
        "the turn was refused, though the endpoint is there",
        f"see that {PREFIX}LLM_MODEL exists there, and the account's limits",
    )
