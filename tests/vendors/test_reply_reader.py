"""A reply cut at every character: never a wrong move, nothing before the move is certain, no part of a value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media_gateway.errors import NoUsableReply
from media_gateway.ports import MoveChosen, ReplyPart, WordsWritten
from media_gateway.reply_reader import ReplyReader, is_whole

WRITTEN = {
    written: name
    for name, tag in {
        "continue_stage": "ok",
        "roof_known": "roof",
        "opt_out": "stop",
        "stopgap": "stopgap",
    }.items()
    for written in (tag, name)
}
TEXTS = st.text(st.sampled_from('ok stop",{}:\\s\n.,!?<é😀018'), max_size=24)
VALUES = st.one_of(TEXTS, st.integers(-1000, 1000), st.booleans(), st.none())
SLOTS = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from("ok stop s words roof_age bill".split()), VALUES, max_size=3),
)
KEYS = st.sampled_from(sorted(WRITTEN))


class Cut:
    """A reply that comes character by character, and what is known at each."""

    def __init__(self, text: str) -> None:
        reader = ReplyReader(WRITTEN)
        self.parts: list[tuple[int, ReplyPart]] = []
        self.refused: NoUsableReply | None = None
        try:
            for end in range(1, len(text) + 1):
                self.parts += [(end, part) for part in reader.read(text[:end])]
            self.parts += [(len(text), part) for part in reader.finish(text)]
        except NoUsableReply as error:
            self.refused = error

    @property
    def moves(self) -> list[MoveChosen]:
        return [part for _, part in self.parts if isinstance(part, MoveChosen)]

    @property
    def words(self) -> list[str]:
        return [part.text for _, part in self.parts if isinstance(part, WordsWritten)]


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@settings(max_examples=60, deadline=None)
@given(SLOTS, KEYS, TEXTS, st.booleans(), st.booleans())
@example({"bill": 180, "roof_age": "18"}, "roof", "Fine,\nthen. 180 it is.", False, False)
@example({"bill": 180}, "roof", '"}', True, False)
@example(None, "ok", "So \U0001f600, yes.", True, True)
def test_a_reply_cut_at_every_character(
    slots: dict[str, Any] | None, key: str, words: str, is_ascii: bool, is_spaced: bool
) -> None:
    reply = {**({} if slots is None else {"s": slots}), key: words}
    text = json.dumps(
        reply, ensure_ascii=is_ascii, separators=None if is_spaced else (",", ":")
    ).replace("\\n", "\n")  # as models write it
    begins = len(text) - len(json.dumps(words, ensure_ascii=is_ascii).replace("\\n", "\n"))

    cut = Cut(text)

    assert cut.refused is None
    filled = {name: as_text(v) for name, v in (slots or {}).items() if v is not None and v != ""}
    assert cut.moves == [MoveChosen(move=WRITTEN[key], slots=filled)]
    assert cut.parts[0] == (begins, cut.moves[0]), "certain with the opening quote, not before"
    spoken, rest = 0, "".join(words.split())
    for piece in cut.words:
        spoken = rest.index("".join(piece.split()), spoken) + len("".join(piece.split()))
    assert not any(letter.isalnum() for letter in rest[spoken:]), "every word is given out"


@settings(max_examples=60, deadline=None)
@given(SLOTS, KEYS, TEXTS, st.data())
def test_a_reply_that_breaks_off_makes_no_other_move(
    slots: dict[str, Any] | None, key: str, words: str, data: st.DataObject
) -> None:
    text = json.dumps({**({} if slots is None else {"s": slots}), key: words})
    whole, begins = Cut(text), len(text) - len(json.dumps(words))
    end = data.draw(st.integers(0, len(text) - 1))

    cut = Cut(text[:end])

    assert cut.refused is not None
    assert cut.refused.reason == "malformed"
    assert cut.moves == (whole.moves if end >= begins else [])
    assert cut.refused.proposed_move in ("", WRITTEN[key])
    assert cut.words == whole.words[: len(cut.words)], "no piece is cut short"


@pytest.mark.parametrize("second", ['"stop":"Bye."', '"ok":"Bye."', '"s":{"bill":"180"}'])
def test_nothing_but_the_end_may_follow_the_words(second: str) -> None:
    text = f'{{"ok":"Got it, well then.",{second}}}'
    cut = Cut(text)
    assert [move.move for move in cut.moves] == ["continue_stage"]
    assert cut.words == ["Got it,"]
    assert cut.refused is not None
    with pytest.raises(NoUsableReply):
        ReplyReader(WRITTEN).finish(text)


@pytest.mark.parametrize(
    "key", ["OK", "ok ", "o", "stop now", "\\u006fk", "st\u043ep", "words", ""]
)
def test_a_key_counts_letter_by_letter(key: str) -> None:
    cut = Cut(f'{{"{key}":"Fine, then."}}')
    assert not cut.parts
    assert cut.refused is not None


def test_half_a_character_as_a_key_can_still_be_recorded() -> None:
    refused = Cut('{"ok\ud83d":"Fine, then."}').refused
    assert refused is not None
    assert refused.proposed_move == "ok\ufffd"


def test_a_tag_among_the_slots_or_the_words_is_no_move() -> None:
    slots = {"stop": "stop", "ok": '","stop":"'}
    cut = Cut(json.dumps({"s": slots, "roof": '","stop":"Bye."}'}))
    assert cut.moves == [MoveChosen(move="roof_known", slots=slots)]
    broken = Cut('{"s":{"stop":"ok","bill":18')
    assert broken.refused is not None
    assert broken.refused.proposed_move == ""


def test_what_follows_a_whole_reply_is_not_read() -> None:
    text = '{"ok":"Fine, then."}{"stop":"Bye."}'
    assert is_whole(text)
    assert [part for part in ReplyReader(WRITTEN).finish(text) if isinstance(part, MoveChosen)] == [
        MoveChosen(move="continue_stage", slots={})
    ]
