"""PURE. TwiML text to verbs, as the carrier carries them out. Element names are case-sensitive."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree


class TwimlError(ValueError):
    """The answer is no TwiML: the real carrier plays an error and hangs up (12100)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """`<Connect><Stream>`."""

    url: str
    name: str
    status_callback: str
    action: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """`<Say>`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """`<Pause>`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """`<Redirect>`."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """`<Dial>`."""

    number: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup:
    """`<Hangup>`."""


Verb = Stream | Say | Pause | Redirect | Dial | Hangup


def parse_twiml(text: str) -> list[Verb]:
    """The verbs in order. Raises TwimlError."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the gateway under rehearsal is ours
    except ElementTree.ParseError as error:
        raise TwimlError(f"not XML: {error}") from None
    if root.tag != "Response":
        raise TwimlError("the root is not <Response>")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    match element.tag:
        case "Connect":
            return _stream(element)
        case "Say":
            return Say(text=(element.text or "").strip())
        case "Pause":
            return Pause(seconds=float(element.get("length", "1")))
        case "Redirect":
            return Redirect(url=(element.text or "").strip())
        case "Dial":
            number = element.find("Number")
            text = number.text if number is not None else element.text
            return Dial(number=(text or "").strip(), action=element.get("action", ""))
        case "Hangup":
            return Hangup()
        case _:
            raise TwimlError(f"<{element.tag}> is not spoken here")


def _stream(connect: ElementTree.Element) -> Stream:
    stream = connect.find("Stream")
    if stream is None or not stream.get("url"):
        raise TwimlError("<Connect> without a <Stream url>")
    if "?" in stream.get("url", ""):
        raise TwimlError("a <Stream url> must not carry a query")
    return Stream(
        url=stream.get("url", ""),
        name=stream.get("name", ""),
        status_callback=stream.get("statusCallback", ""),
        action=connect.get("action", ""),
        parameters={p.get("name", ""): p.get("value", "") for p in stream.findall("Parameter")},
    )
