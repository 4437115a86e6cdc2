"""What a simulated caller does, as YAML: says, pauses in mid-sentence, interrupts, presses keys, keeps silent, hangs up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator


class TimelineError(ValueError):
    """A time line cannot be used; the message names the file, the place and the reason."""


class Pause(BaseModel):
    """Silence within an utterance."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    pause_ms: int = Field(ge=20, le=60_000)


class Step(BaseModel):
    """One thing that the caller does, in its turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    say: tuple[str | Pause, ...] = ()
    """Sentences and pauses, spoken as one utterance."""
    press: str = ""
    """A key, after the words."""
    hang_up: bool = False
    """After the words, or in the middle of them with `hang_up_after_ms`."""
    hang_up_after_ms: int | None = None
    """Counted from the step's beginning."""
    interrupt_after_ms: int | None = None
    """Do it this long after the agent began to speak, instead of after it is done."""
    silent_ms: int = 0
    """Wait this much longer than usual before it."""
    murmur: bool = False
    """Said over the agent to show that one listens ("okay"): no turn, and the agent is to go on."""

    @model_validator(mode="after")
    def _murmurs_over_the_agent(self) -> Step:
        if self.murmur and (self.interrupt_after_ms is None or not self.say):
            raise ValueError("a murmur needs words and interrupt_after_ms")
        return self


class Reply(BaseModel):
    """What the caller says whenever the agent's words ask for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    to: str
    """Regular expression that is found in the agent's words, upper or lower case."""
    say: str = ""
    """Empty: what was said last, again."""

    @field_validator("to")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern


class Timeline(BaseModel):
    """One simulated caller: one that does its steps in order, or one that answers what it is asked, as often as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    pitch: float = Field(default=1.15, ge=0.7, le=1.6)
    """Of the caller's voice, against the agent's."""
    answers: Literal["yes", "no", "busy", "failed"] = "yes"
    sip_code: int | None = Field(default=None, ge=400, le=699)
    """Told with the end of a call that is not answered; empty: what the carrier usually gives."""
    answer_after_ms: int = Field(default=1200, ge=0)
    reply_after_ms: int = Field(default=700, ge=100)
    """The agent is done when it was silent for this long: longer than the gaps between its sentences."""
    patience_ms: int = Field(default=15_000, ge=1000)
    """Nothing heard for this long: the caller hangs up."""
    answered_by: str = "human"
    """The verdict of answering machine detection."""
    steps: tuple[Step, ...] = ()
    replies: tuple[Reply, ...] = ()
    """The first that fits what was heard last is given."""

    @model_validator(mode="after")
    def _one_way(self) -> Timeline:
        if self.steps and self.replies:
            raise ValueError("a caller has steps or replies, not both")
        return self

    def sentences(self) -> set[str]:
        """Everything that will be said."""
        said = {part for step in self.steps for part in step.say if isinstance(part, str)}
        return said | {reply.say for reply in self.replies if reply.say}


def load_timeline(path: Path) -> Timeline:
    """Read a time line. Raises TimelineError."""
    try:
        return Timeline.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TimelineError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise TimelineError(f"{path} is not YAML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)
        )
        raise TimelineError(f"{path}: {problems}") from None
