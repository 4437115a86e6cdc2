"""What a model's growing answer says: the move once it is certain, then the words piece by piece. BAML reads the JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from baml_py.errors import BamlError

from baml_client import b
from baml_client.stream_types import NextTurn
from baml_client.type_builder import TypeBuilder
from media_gateway.errors import NoUsableReply
from media_gateway.ports import MoveChosen, ReplyPart, WordsWritten
from media_gateway.sentences import SentenceCutter

_JSON = json.JSONDecoder(strict=False)
"""Not strict: a model may write a bare line break into a text."""
_MOVE = re.compile(r'"m"\s*:\s*"([^"]*)"')
"""The move as it stands, closed."""
_CLOSINGS = ("", '"}', "}")
"""Of a reply that is whole, in the middle of its words, or at their end."""
_HALF_ESCAPE = re.compile(
    r"(?<!\\)((?:\\\\)*)(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?$"
)
"""At the end: the beginning of `\\u2026`, or of the two that make one character."""


class ReplyReader:
    """One reply's. `written`: what may be written for a move, letter by letter, and the move's name."""

    def __init__(self, written: Mapping[str, str], builder: TypeBuilder) -> None:
        self._written = written
        self._builder = builder
        self._cutter = SentenceCutter()
        self._has_move = False

    def read(self, text: str) -> list[ReplyPart]:
        """What is certain of the answer so far. Raises NoUsableReply for a move that is not allowed."""
        partial = self._parse_open(text)
        if partial is None or partial.say is None:
            return []  # `say` comes last: once it begins, move and slots are complete
        parts = self._move(text, partial)
        return [*parts, *map(_words, self._cutter.pieces(partial.say))]

    def finish(self, text: str) -> list[ReplyPart]:
        """What is left of a whole reply. Raises for one that broke off: BAML closes it by guess, 180 may read as 18."""
        text = _encodable(text)
        partial = self._parse(text)
        if partial is None or not is_whole(text):
            raise NoUsableReply("malformed", proposed_move=self._proposed(text))
        parts = self._move(text, partial)
        return [*parts, *map(_words, self._cutter.finish(partial.say or ""))]

    def _parse_open(self, text: str) -> NextTurn | None:
        # Of JSON that is not closed BAML takes `180,"roof_type":"tile"` for one value, finds no words behind a `null`,
        # and reads no escapes.
        text = _encodable(text)
        if "\\" in text:
            text = _HALF_ESCAPE.sub(r"\1", text)
        closed = (text + closing for closing in _CLOSINGS)
        return next((self._parse(whole) for whole in closed if is_whole(whole)), None)

    def _parse(self, text: str) -> NextTurn | None:
        try:
            return b.parse_stream.TakeTurn(text, {"tb": self._builder})
        except BamlError:
            return None  # none that fits

    def _move(self, text: str, partial: NextTurn) -> list[ReplyPart]:
        if self._has_move:
            return []
        # BAML matches leniently ("please stop" is read as `stop`); a move counts only as it is written.
        move = self._written.get(_move_in(text), "")
        if not move or (partial.chosen and str(partial.chosen) != move):
            reason = "move" if _move_in(text) else "malformed"
            raise NoUsableReply(reason, proposed_move=self._proposed(text))
        self._has_move = True
        slots = {name: value for name, value in (partial.slots or {}).items() if value}
        return [MoveChosen(move=move, slots=slots)]

    def _proposed(self, text: str) -> str:
        """For the record: the move's name where it is one, else what was written."""
        written = _move_in(text)
        return self._written.get(written, written)[:80]


def is_whole(text: str) -> bool:
    """Whether the reply's JSON is closed; a fence or a remark around it does not matter."""
    _, brace, rest = text.partition("{")
    try:
        _JSON.raw_decode(brace + rest)
    except (ValueError, RecursionError):
        return False
    return True


def _encodable(text: str) -> str:
    """A character that a vendor tore in two events is one again; half a one is a mark of its loss."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _move_in(text: str) -> str:
    """The first move that stands in the raw reply; empty when there is none, or not all of it."""
    found = _MOVE.search(text, max(0, text.find("{")))
    return found.group(1) if found else ""


def _words(text: str) -> WordsWritten:
    return WordsWritten(text=text)
