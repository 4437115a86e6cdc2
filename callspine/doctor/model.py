"""Checks a model with one turn of a script, through BAML: a move that is allowed, and words."""

from __future__ import annotations

from callspine.doctor.findings import AilingError, Check, Told
from callspine.llm_settings import ONLY
from callspine.scripts import usable_scripts
from callspine.settings import PREFIX, Settings
from media_gateway.errors import NoUsableReply
from media_gateway.ports import Dialogue, MoveChosen, ReplyRequest, ReplyTrace, WordsWritten
from workflows.script.machine import initial_state
from workflows.script.model import Script

CALLER_WORDS = "Yes, sure."
ANSWER_WITHIN_S = 15.0
_UNREACHABLE = f"see {PREFIX}LLM_BASE_URL and the network's way there"


def model_check(name: str, dialogue: Dialogue, settings: Settings) -> Check:
    """One turn of the client of this name, unless there is no script to take it from."""

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
            failures = [usage.failure for usage in trace.clients if usage.failure]
            is_told = failures and error.reason != "move"
            raise _ailing(failures[-1] if is_told else error.reason, name) from None
        if not move or not words:
            raise AilingError("a reply without move or words", "choose a stronger model")
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


def _ailing(failure: str, name: str) -> AilingError:
    """`failure`: a `FailureKind`, or the reason of `NoUsableReply`."""
    is_only = name == ONLY
    of_it = f"{PREFIX}LLM_" if is_only else f"{PREFIX}LLM_CLIENT__{name.upper()}__"
    model = f"{PREFIX}LLM_MODEL" if is_only else f"{name}'s model in {PREFIX}LLM_CLIENTS"
    slow = (
        f"the model is too slow for a call, or away: another {model}, "
        f"or a larger {PREFIX}LLM_FIRST_TOKEN_TIMEOUT_S"
    )
    remedies = {
        "key": f"the key is refused: set {of_it}API_KEY",
        "rate": "asked too often: see the account's limits",
        "request": f"the turn was refused, though the endpoint is there: see that {model} exists there",
        "server": "the vendor has trouble of its own: see its status page, or name another one to stand in",
        "silent": slow,
        "timeout": slow,
        "malformed": f"the model does not keep to the reply's type: choose a stronger {model}",
        "move": f"the model makes up moves: choose a stronger {model}",
    }
    unreachable = f"see {of_it}BASE_URL and the network's way there"
    return AilingError(f"no usable reply: {failure}", remedies.get(failure, unreachable))
