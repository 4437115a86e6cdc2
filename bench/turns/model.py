"""A model that knows what each utterance means: an OpenAI stream in the form that the prompt asks for.

It reads the reply's form from the prompt (the keys, the moves and their short names), never from Callspine's code, and
answers in plain words where no form is asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from typing import Any

from bench.http_model import HttpModel
from bench.turns.truth import Truth
from bench.turns.utterances import Book, Utterance, plain

_TOKEN = re.compile(r" ?[A-Za-z]{1,8}|_[A-Za-z]{1,8}| ?\d{1,3}| ?[^\sA-Za-z0-9_]{1,3}|\s+|.", re.S)
_KEY = re.compile(r"^  \"?(\w+)\"?\??: (.*)$", re.M)
_MOVE_AS_KEY = '{"TAG":"WORDS"}'
FIRST_NUMBER = 100
"""No reply of the model's has a smaller one, and no authored line as large a one."""
_FENCED = re.compile(r"<<<\s*(.*?)\s*>>>", re.S)
_REFUSED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Model:
    """Answers completions."""

    def __init__(self, book: Book, truth: Truth, questions: dict[str, str]) -> None:
        self._book = book
        self._truth = truth
        self._questions = questions
        """For each stage that a move leads to, what is asked there: only for prompts that ask for plain words."""

    async def complete(self, body: str, asked_s: float, http: HttpModel) -> None:
        """One completion; `asked_s` is on the monotonic clock."""
        loop = asyncio.get_running_loop()
        self._truth.model_requests += 1
        if self._truth.strikes("model_500"):
            await asyncio.sleep(0.1)
            http.refuse(_REFUSED)
            return
        times = self._truth.latencies
        first_ms = times.first_token_ms
        if self._truth.strikes("slow_model"):
            first_ms = times.slow_first_token_ms
        tokens = cut(self._answer(json.loads(body)["messages"]))
        due_s = loop.time() + self._truth.seconds(first_ms)
        begun = False
        for token in tokens:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            if not begun:
                begun = True
                http.begin()
            http.token(token)
            due_s += self._truth.seconds(times.token_ms)
        http.end()

    def _answer(self, messages: list[dict[str, Any]]) -> str:
        system = "\n".join(_text(m) for m in messages if m.get("role") != "user")
        user = next((_text(m) for m in reversed(messages) if m.get("role") == "user"), "")
        fenced = _FENCED.search(user)
        words = fenced.group(1) if fenced else user
        utterance = self._book.find(words)
        if "## Moves" not in system:
            return self._in_words(utterance, words)
        form = system.partition("Answer in JSON")[2] or system
        return in_form(system, form, utterance, self._say(utterance, words))

    def _say(self, utterance: Utterance | None, words: str) -> str:
        asks = utterance is not None and not utterance.move
        lines = self._book.explanations if asks else self._book.replies
        chosen = int(hashlib.sha256(plain(words).encode()).hexdigest(), 16) % len(lines)
        return lines[chosen].format(n=self._truth.model_requests + FIRST_NUMBER)

    def _in_words(self, utterance: Utterance | None, words: str) -> str:
        if not plain(words):
            return self._questions[""]
        question = self._questions.get(utterance.move if utterance else "", "")
        return f"{self._say(utterance, words)} {question or 'Shall we go on?'}"


def in_form(system: str, form: str, utterance: Utterance | None, say: str) -> str:
    """The reply as JSON in the form that the prompt shows: slots, then the words under the move's tag.

    Where it gives a schema, its keys in its order: move, slots, words, by their types.
    """
    moves, _, rest = system.partition("## Moves")[2].partition("\n## ")
    moves += rest.partition("## Moves")[2]
    wanted = utterance.move if utterance else ""
    name = wanted or ("answer_question" if utterance else "continue_stage")
    move = _offered(moves, form, name) or _offered(moves, form, "continue_stage") or name
    slots = [{"name": k, "value": v} for k, v in (utterance.slots if utterance else {}).items()]
    found: dict[str, object] = {}
    for key, kind in _KEY.findall(form):
        if kind.strip().startswith("map"):
            if utterance and utterance.slots:
                found[key] = utterance.slots
        elif kind.strip().startswith("["):
            found[key] = slots
        elif not found:
            found[key] = move
        elif "string" in kind:
            found[key] = say
    if _MOVE_AS_KEY in form:
        if utterance and utterance.slots:
            found["s"] = utterance.slots
        found[move] = say
    separators = (",", ":") if "no spaces" in form else None
    return json.dumps(found or {"move": move, "slots": slots, "say": say}, separators=separators)


def _offered(moves: str, form: str, name: str) -> str:
    """How the prompt wants the move to be written; empty when it does not offer it."""
    for text in (form, moves):
        for line in text.splitlines():
            item = line.strip()
            if item.startswith("- ") and re.search(
                rf"(?<!\w){re.escape(name)}(?!\w)", item.partition("|")[0]
            ):
                return item[2:].split(":")[0].split()[0].strip("`\"'")
    return ""


def cut(text: str) -> list[str]:
    """Tokens as a real tokenizer cuts: words and the punctuation between them."""
    return _TOKEN.findall(text)


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")
