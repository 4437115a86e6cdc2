"""The carrier reads TwiML as the carrier does, and the gateway's own TwiML among it."""

from __future__ import annotations

import pytest

from media_gateway.twilio import twiml
from rehearsal.carrier.twiml import (
    Dial,
    Hangup,
    Pause,
    Redirect,
    Say,
    Stream,
    TwimlError,
    parse_twiml,
)
from workflows.contracts.payloads import AfterStream, NextStep


def test_every_verb() -> None:
    text = """<?xml version="1.0"?><Response>
      <Say voice="x"> Hello. </Say><Pause length="2"/><Redirect>http://a/b</Redirect>
      <Dial action="http://a/after"><Number>+12125550199</Number></Dial><Dial>+12125550100</Dial>
      <Hangup/></Response>"""
    assert parse_twiml(text) == [
        Say(text="Hello."),
        Pause(seconds=2),
        Redirect(url="http://a/b"),
        Dial(number="+12125550199", action="http://a/after"),
        Dial(number="+12125550100", action=""),
        Hangup(),
    ]


def test_the_gateways_stream() -> None:
    stream, *_ = parse_twiml(twiml.connect_stream("https://g.example", "call&1", "to<ken"))
    assert isinstance(stream, Stream)
    assert stream.url == "wss://g.example/media"
    assert stream.parameters == {"call_id": "call&1", "token": "to<ken"}
    assert stream.action.startswith("https://g.example/twilio/stream-end?call_id=")
    assert "call&1" not in stream.action


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        (AfterStream(step=NextStep.HANG_UP), [Hangup]),
        (AfterStream(step=NextStep.APOLOGISE, text="Sorry <us>"), [Say, Hangup]),
        (AfterStream(step=NextStep.DIAL, number="+12125550199"), [Dial]),
        (AfterStream(step=NextStep.RECONNECT), [Stream]),
    ],
)
def test_the_gateways_other_answers(after: AfterStream, kinds: list[type]) -> None:
    verbs = parse_twiml(twiml.after_stream("https://g.example", "c1", after, "token"))
    assert [type(verb) for verb in verbs][: len(kinds)] == kinds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "not XML"),
        ("<Answer/>", "root is not"),
        ("<Response><say>x</say></Response>", "<say> is not spoken"),
        ("<Response><Connect/></Response>", "without a <Stream url>"),
        ('<Response><Connect><Stream url="wss://a?b=1"/></Connect></Response>', "query"),
    ],
)
def test_what_is_no_twiml_is_refused(text: str, reason: str) -> None:
    with pytest.raises(TwimlError, match=reason):
        parse_twiml(text)
