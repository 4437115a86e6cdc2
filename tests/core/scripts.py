"""The sample script, and small ones to break."""

from __future__ import annotations

from pathlib import Path

from workflows.script.events import CallAnswered, MoveProposed, ReplyHeard, ScriptEvent
from workflows.script.machine import advance, initial_state
from workflows.script.model import Script
from workflows.script.parse import parse_script
from workflows.script.state import ScriptState

SAMPLE_TEXT = Path("sales_scripts/solar_consult.yaml").read_text(encoding="utf-8")
SAMPLE = parse_script(SAMPLE_TEXT, name="solar_consult.yaml")
TODAY = "2026-11-23"
"""A Monday."""
HEARD_DISCLOSURE = ReplyHeard(heard_words="...", lines_heard=("disclosure.opening",))

SMALL = """\
script: small
version: "1"
title: Small
company: Acme
agent_name: Ann
language: en
first: ask
silence: [Are you there]
slots:
  age:
    type: integer
    description: age
    ask: How old are you?
    required: true
stages:
  ask:
    goal: ask
    opening: How old are you?
    fallback: Sorry, how old?
    resume: Again, how old?
    collects: [age]
    moves:
      done:
        description: age is known
        to: end
        when: filled(age)
        when_complete: true
  end:
    opening: Bye.
    outcome: not_interested
"""

RECORDED = """\
script: recorded
version: "1"
title: Recorded
company: Acme
agent_name: Ann
language: en
first: consent
recording: after_consent
transfer_to: "+12125550199"
silence: [Are you there]
stages:
  consent:
    goal: ask whether the call may be recorded
    opening: May I record this call, so that we get your details right?
    must_say: true
    fallback: Sorry, may I record this call?
    resume: Sorry, we were cut off. May I record this call?
    moves:
      agrees:
        description: the caller agrees to the recording
        consents_to_recording: true
        to: ask
      refuses:
        description: the caller does not want a recording
        to: ask
  ask:
    goal: ask
    opening: How old are you?
    fallback: Sorry, how old?
    resume: Again, how old?
    moves:
      done:
        description: the age is known
        to: end
  end:
    opening: Bye.
    outcome: not_interested
"""
"""A script that records after consent."""
ANNOUNCED = (
    RECORDED.replace("after_consent", "after_disclosure")
    .replace("        consents_to_recording: true\n", "")
    .replace("    must_say: true\n", "")
)
"""The same that says so at the beginning and records on."""
HEARD_CONSENT = ReplyHeard(heard_words="...", lines_heard=("consent.opening",))


def move(name: str, words: str = "words", **slots: str) -> MoveProposed:
    return MoveProposed(caller_words=words, move=name, slots=slots)


def run(script: Script, *events: ScriptEvent) -> ScriptState:
    """The state after these events, from an answered call whose disclosure was heard."""
    state = initial_state(script)
    for event in (CallAnswered(today=TODAY), HEARD_DISCLOSURE, *events):
        state, _ = advance(script, state, event)
    return state
