"""What a model's growing answer says: the move once it is certain, then the words piece by piece. BAML types the parts.

`{"s":{"roof_type":"metal"},"roof":"Metal, good."}`: the slots, if there are any, then the words under the move's tag.
The move is certain once its key and the opening quote of its words stand there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from baml_py.errors import BamlError

from baml_client import b
from baml_client.type_builder import TypeBuilder
from media_gateway.errors import NoUsableReply
from media_gateway.move_tags import SLOTS_KEY
from media_gateway.ports import MoveChosen, ReplyPart, WordsWritten
from media_gateway.sentences import SentenceCutter

_CLOSINGS = ("", '"}', "}")
"""Of a reply that is whole, in the middle of its words, or at their end. No slots in the middle are closed by them."""
_KEY = re.compile(
    rf'\{{\s*(?:"{SLOTS_KEY}"\s*:\s*(?:null|\{{[^{{}}]*\}})\s*,\s*)?"(?!{SLOTS_KEY}")([^"\\]*)"'
)
"""The first key behind the slots, closed."""


class ReplyReader:
    """One reply's. `written`: what may be written for a move, letter by letter, and the move's name."""

    def __init__(self, written: Mapping[str, str]) -> None:
        self._written = written
        self._cutter = SentenceCutter()
        self._builder: TypeBuilder | None = None

    def read(self, text: str) -> list[ReplyPart]:
        """What is certain of the answer so far. Raises NoUsableReply for a move that is not allowed, and for a second."""
        objects = (_object(text + closing) for closing in _CLOSINGS)
        reply = next(filter(None, objects), {})
        if not reply.keys() - {SLOTS_KEY}:
            return []  # the words come last: once they begin, move and slots are complete
        return self._parts(text, reply, self._cutter.pieces) or []

    def finish(self, text: str) -> list[ReplyPart]:
        """What is left of a whole reply. Raises for one that broke off: what it ends in may be cut short, as 18 of 180."""
        parts = self._parts(text, _object(text) or {}, self._cutter.finish)
        if parts is None:
            raise self._unusable("malformed", text)
        return parts

    def _parts(
        self, text: str, reply: dict[str, object], cut: Callable[[str], list[str]]
    ) -> list[ReplyPart] | None:
        """None where BAML cannot read it, or a number is none."""
        key, *more = [key for key in reply if key != SLOTS_KEY] or [""]
        if more or key != next(reversed(reply), "") or not isinstance(reply.get(key), str):
            raise self._unusable("malformed", text)
        if key not in self._written or f'"{key}"' not in text:
            raise self._unusable("move", text)
        chosen: list[ReplyPart] = []
        builder = self._builder or _type_of(key)
        try:
            # Only what json has read: of other JSON BAML guesses, and `180,"roof_type":"tile"` becomes one value.
            turn = b.parse_stream.TakeTurn(
                _encodable(json.dumps(reply, ensure_ascii=False, allow_nan=False)), {"tb": builder}
            )
        except (BamlError, ValueError, RecursionError):
            # The last of them: slots that are nested as deeply as a text can be.
            return None
        if self._builder is None:
            self._builder = builder
            slots = {name: value for name, value in (turn.slots or {}).items() if value}
            chosen.append(MoveChosen(move=self._written[key], slots=slots))
        words = (turn.model_extra or {}).get("words") or ""
        return [*chosen, *(WordsWritten(text=piece) for piece in cut(words))]

    def _unusable(self, reason: str, text: str) -> NoUsableReply:
        """For the record: the move's name where it is one, else what was written."""
        found = _KEY.match(text, max(0, text.find("{")))
        written = _encodable(found.group(1)) if found else ""
        return NoUsableReply(reason, proposed_move=self._written.get(written, written)[:80])


def is_whole(text: str) -> bool:
    """Whether the reply's JSON is closed; a fence or a remark around it does not matter."""
    return _object(text) is not None


def _encodable(text: str) -> str:
    """A character that a vendor tore in two events is one again; half a one is a mark of its loss."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _type_of(key: str) -> TypeBuilder:
    """The reply's type for this key alone: each key more costs BAML time, at every token."""
    builder = TypeBuilder()
    builder.NextTurn.add_property("words", builder.string()).alias(key)
    return builder


def _object(text: str) -> dict[str, object] | None:
    """The JSON object that the text begins with, but for a fence or a remark; None when it is not closed, or is none."""
    _, brace, rest = text.partition("{")
    try:
        found: dict[str, object] = _JSON.raw_decode(brace + rest)[0]
    except (ValueError, RecursionError):
        return None
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuses a key that stands twice: which of the two counts would be a guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


_JSON = json.JSONDecoder(strict=False, object_pairs_hook=_once)
"""Not strict: a model may write a bare line break into a text."""
