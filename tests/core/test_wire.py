"""Messages, mu-law, tokens, signatures, sentences: what crosses the gateway's edges."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.sentences import SentenceCutter
from media_gateway.signature import CarrierSignature
from media_gateway.stream_token import VALID_FOR_S, StreamTokens
from media_gateway.twilio.messages import (
    Dtmf,
    MarkEchoed,
    MediaFrame,
    MessageError,
    Start,
    Stop,
    parse_inbound,
)
from media_gateway.twilio.mulaw import decode, encode


def test_documented_messages_are_read() -> None:
    start = {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0",
        "start": {
            "accountSid": "AC1",
            "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"call_id": "c1"},
        },
    }
    media = {
        "event": "media",
        "streamSid": "MZ1",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "//8="},
    }

    assert parse_inbound(json.dumps(start)) == Start(
        stream_sid="MZ18ad3ab5a668481ce02b83e7395059f0",
        call_sid="CA1",
        account_sid="AC1",
        custom_parameters={"call_id": "c1"},
    )
    assert parse_inbound(json.dumps(media)) == MediaFrame(
        mulaw=b"\xff\xff", timestamp_ms=5, chunk=1, stream_sid="MZ1"
    )
    dtmf = '{"event":"dtmf","dtmf":{"track":"inbound_track","digit":"9"}}'
    assert parse_inbound(dtmf) == Dtmf(digit="9", stream_sid="")
    assert parse_inbound('{"event":"mark","mark":{"name":"m"}}') == MarkEchoed(
        name="m", stream_sid=""
    )
    stop = '{"event":"stop","streamSid":"MZ1","stop":{}}'
    assert parse_inbound(stop) == Stop(stream_sid="MZ1")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["event", "media", "start", "mark", "dtmf", "payload", "name", "chunk"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        _json.map(json.dumps),
        st.fixed_dictionaries(
            {"event": st.sampled_from(["start", "media", "mark", "dtmf", "stop", "connected"])},
            optional={"start": _json, "media": _json, "mark": _json, "dtmf": _json},
        ).map(json.dumps),
    )
)
def test_whatever_comes_is_a_message_or_a_message_error(text: str) -> None:
    with suppress(MessageError):
        parse_inbound(text)


def test_mulaw_is_the_same_after_a_round_trip() -> None:
    codes = bytes(range(256))

    again = encode(decode(codes))

    assert [a for a, b in zip(codes, again, strict=True) if a != b] in ([], [0x7F])  # minus zero


@given(st.lists(st.integers(min_value=-32768, max_value=32767), min_size=1, max_size=50))
def test_mulaw_loses_at_most_a_sixteenth(samples: list[int]) -> None:
    pcm = np.array(samples, dtype=np.int16)

    wrong = np.abs(decode(encode(pcm)).astype(int) - np.clip(pcm.astype(int), -32635, 32635))

    assert (wrong <= np.maximum(8, np.abs(pcm.astype(int)) // 16)).all()


def test_a_token_opens_its_own_call_for_two_minutes() -> None:
    tokens = StreamTokens("secret")
    token = tokens.issue("call-1", now_s=1000)

    assert tokens.nonce("call-1", token, now_s=1000 + VALID_FOR_S) is not None
    assert tokens.nonce("call-1", token, now_s=1001 + VALID_FOR_S) is None
    assert tokens.nonce("call-2", token, now_s=1000) is None
    assert StreamTokens("other").nonce("call-1", token, now_s=1000) is None
    assert tokens.issue("call-1", now_s=1000) != token


@given(st.text(max_size=80))
def test_no_made_up_token_is_taken(token: str) -> None:
    assert StreamTokens("secret").nonce("call-1", token, now_s=0) is None


def test_the_carriers_own_check_vector_holds() -> None:
    signature = CarrierSignature("12345", "https://example.com")
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    good = "L/OH5YylLD5NRKLltdqwSvS0BnU="

    assert signature.is_valid_webhook("/myapp.php?foo=1&bar=2", form, good)
    assert not signature.is_valid_webhook("/myapp.php?foo=1&bar=3", form, good)
    assert not signature.is_valid_webhook("/myapp.php?foo=1&bar=2", form, "")


def _pieces(text: str, step: int) -> list[str]:
    cutter, found = SentenceCutter(), []
    for end in range(0, len(text), step):
        found += cutter.pieces(text[:end])
    return found + cutter.finish(text)


def test_sentences_are_cut_as_they_are_written() -> None:
    text = "There is no money down. It costs $1.50 a day. Shall we?"

    assert _pieces(text, 1) == ["There is no money down.", "It costs $1.50 a day.", "Shall we?"]


def test_a_first_clause_goes_as_soon_as_it_can_be_spoken() -> None:
    assert _pieces("Got it, thank you. Fine.", 1) == ["Got it,", "thank you.", "Fine."]
    assert _pieces("Sure, it comes with a warranty.", 1) == ["Sure,", "it comes with a warranty."]
    assert _pieces("Well, yes. Fine.", 1) == ["Well, yes.", "Fine."], "one word is torn off"
    assert _pieces("Great! Fine.", 1) == ["Great!", "Fine."]


def test_a_first_clause_does_not_wait_for_what_follows_it() -> None:
    cutter = SentenceCutter()
    assert cutter.pieces("Got it") == []
    assert cutter.pieces("Got it,") == ["Got it,"]
    assert SentenceCutter().pieces("It costs 1,") == [], "this may be 1,200"
    assert SentenceCutter().pieces("It starts at 9:") == [], "this may be 9:30"


def test_clauses_count_until_there_is_enough_to_speak() -> None:
    text = "Sure, our panels have a warranty, which is good, and so on."
    assert _pieces(text, 1) == ["Sure,", "our panels have a warranty,", "which is good, and so on."]


def test_a_second_mark_is_no_piece() -> None:
    assert _pieces("Really?! Yes.", 1) == ["Really?", "Yes."]


def test_abbreviations_are_no_ends() -> None:
    assert _pieces("Dr. Smith comes at 10 a.m. on Monday. Bye.", 1)[0].startswith("Dr. Smith")


@given(
    st.lists(
        st.sampled_from(["Yes.", "no,", "Dr.", "10", "a", "word", "Why?", "–", "e.g."]), max_size=25
    ),
    st.integers(min_value=1, max_value=9),
)
def test_no_word_is_lost_or_said_twice(words: list[str], step: int) -> None:
    text = " ".join(words)

    assert " ".join(_pieces(text, step)).split() == text.split()


def test_base64_of_any_length_is_taken() -> None:
    for length in (1, 80, 160, 1600):
        payload = base64.b64encode(b"\xff" * length).decode()
        text = f'{{"event":"media","media":{{"payload":"{payload}","chunk":"1","timestamp":"0"}}}}'
        frame = parse_inbound(text)
        assert isinstance(frame, MediaFrame)
        assert len(frame.mulaw) == length
