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
_SAYING = '"}'
"""Closes a reply that is in the middle of its words."""


class ReplyReader:
    """One reply's. `written`: what may be written for a move, letter by letter, and the move's name."""

    def __init__(self, written: Mapping[str, str], builder: TypeBuilder) -> None:
        self._written = written
        self._builder = builder
        self._cutter = SentenceCutter()
        self._has_move = False

    def read(self, text: str) -> list[ReplyPart]:
        """What is certain of the answer so far. Raises NoUsableReply for a move that is not allowed."""
        partial = self._parse(text)
        if partial is None or partial.say is None:
            return []  # `say` comes last: once it begins, move and slots are complete
        parts = self._move(text, partial)
        return [*parts, *map(_words, self._cutter.pieces(partial.say))]

    def finish(self, text: str) -> list[ReplyPart]:
        """What is left of a whole reply. Raises for one that broke off: BAML closes it by guess, 180 may read as 18."""
        partial = self._parse(text)
        if partial is None or not is_whole(text):
            raise NoUsableReply("malformed", proposed_move=self._proposed(text))
        parts = self._move(text, partial)
        return [*parts, *map(_words, self._cutter.finish(partial.say or ""))]

    def _parse(self, text: str) -> NextTurn | None:
        # Of JSON that is not closed BAML takes `180,"roof_type":"tile"` for one value, and finds no words behind a `null`.
        closed = text + _SAYING
        try:
            return b.parse_stream.TakeTurn(
                closed if is_whole(closed) else text, {"tb": self._builder}
            )
        except BamlError:
            return None  # not enough text yet, or none that fits

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


def _move_in(text: str) -> str:
    """The first move that stands in the raw reply; empty when there is none, or not all of it."""
    found = _MOVE.search(text, max(0, text.find("{")))
    return found.group(1) if found else ""


def _words(text: str) -> WordsWritten:
    return WordsWritten(text=text)
