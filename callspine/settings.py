"""Every setting of Callspine, read from `CALLSPINE_*` variables (and a `.env` file) once, at a composition root.

A wrong or missing value is refused at start with the variable's name. Secrets are never printed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import pydantic_settings
from pydantic import (
    AnyUrl,
    Field,
    SecretStr,
    UrlConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from callspine.llm_settings import ClientOptions, lacking, parse_clients
from callspine.privacy.keys import parse_keys
from callspine.router_settings import FAST, OFF, STRONG, needs_threshold, parse_router

PREFIX = "CALLSPINE_"
Port = Annotated[int, Field(ge=0, le=65_535)]
Http = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["http", "https"], host_required=True)]
"""`localhost:8000` is a URL, too: of the scheme `localhost`."""
WebSocket = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["ws", "wss"], host_required=True)]
_E164 = re.compile(r"\+[1-9]\d{6,14}")


class SettingsError(Exception):
    """Settings that cannot work; the message names each variable and what to do."""


class Settings(BaseSettings):
    """All settings. Every vendor's address is one of them, so that a proxy, a region or an emulator can stand in."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
    )

    # --- the gateway -------------------------------------------------------------------------
    host: str = "127.0.0.1"
    port: Port = 8040
    public_url: Http = AnyUrl("http://127.0.0.1:8040")
    """How the carrier reaches the gateway. Signatures are checked against it, never against the Host header."""
    gateway_id: str = Field(default="gateway-1", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """Names the gateway's outbox file, too: two gateways that share a disk need two ids."""
    stream_token_secret: SecretStr = SecretStr("")
    """Signs the one-time stream tokens; every gateway of a cluster needs the same one."""
    most_resumes: int = Field(default=3, ge=0, le=20)
    """How often a call's lost media stream is taken up again before it is ended with an apology."""
    drain_notice_s: float = Field(default=5.0, ge=0, le=120)
    """Told to stop, a gateway that has calls first says so at `/health` for this long, so that a balancer has heard it
    when the calls come back to be taken up elsewhere: longer than the balancer's interval."""
    drain_within_s: float = Field(default=23.0, ge=0, le=600)
    """Told to stop, a gateway gives each call away between two turns; what is left after this is cut."""
    longest_message_bytes: int = Field(default=65_536, ge=1024)
    """A media stream message above this is dropped."""

    # --- Temporal ----------------------------------------------------------------------------
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_port: Port = 7233
    """Port of the embedded dev server."""
    temporal_ui_port: Port = 8233
    worker_build_id: str = ""
    """Version of the worker's code; calls stay on the build they began on. Empty: unversioned, any worker takes any call."""
    reconcile_every_s: int = Field(default=60, ge=0, le=3600)
    """How often calls whose workflow is gone are looked for and hung up. 0: never."""

    # --- privacy (docs/privacy.md) -----------------------------------------------------------
    codec_keys: SecretStr = SecretStr("")
    """Encrypts what Temporal holds: `id:base64key[,id:base64key…]`, the first encrypts, all decrypt. Empty: nothing is."""
    transcripts: Literal["history", "store"] = "history"
    """Where callers' words are: in Temporal's history, or in the database and referenced from the history."""
    codec_host: str = "127.0.0.1"
    codec_port: Port = 8043
    """Where `callspine codec serve` listens; a host that is not loopback needs a token."""
    codec_token: SecretStr = SecretStr("")
    """When set, the codec server wants it as a bearer token."""
    codec_ui_origin: str = ""
    """The Temporal UI's origin, the only one whose pages may ask the codec server. Empty: the embedded UI's."""

    # --- what it tells of itself (docs/operating.md) -------------------------------------------
    metrics_token: SecretStr = SecretStr("")
    """Bearer token for `/metrics`, and needed by who asks from another machine. Empty: only this machine may ask."""
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Where a worker serves `/metrics`, Temporal's own included; each worker of a machine needs its own. 0: nowhere."""
    otlp_endpoint: Http | None = None
    """Base URL of an OpenTelemetry collector's OTLP/HTTP receiver; needs the extra `otel`. Empty: no traces are made."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """Of calls that are traced, whole ones; the same in every process."""
    flight_dir: Path | None = None
    """Turn-taking is recorded here, a file a stream (docs/flight-recorder.md); it holds callers' words. Empty: it is not."""

    # --- the carrier -------------------------------------------------------------------------
    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_api_base_url: Http = AnyUrl("https://api.twilio.com")
    twilio_from: str = ""
    """E.164 caller id for outbound calls."""
    twilio_async_amd: bool = True
    twilio_machine_detection: Literal["Enable", "DetectMessageEnd"] = "Enable"
    """Told of a machine at once, or only when its greeting is over, which a message left after the beep needs."""

    # --- speech ------------------------------------------------------------------------------
    deepgram_api_key: SecretStr = SecretStr("")
    deepgram_base_url: WebSocket = AnyUrl("wss://api.deepgram.com")
    deepgram_model: str = "nova-3"
    """`nova-3`, `nova-2-phonecall`, … or `flux-general-en`, which tells the ends of turns, too."""
    deepgram_eot_threshold: float = Field(default=0.7, ge=0.5, le=0.9)
    """Flux alone: confidence that ends a turn."""
    deepgram_eager_eot_threshold: float | None = Field(default=None, ge=0.3, le=0.9)
    """Flux alone: confidence that tells an early end. Empty: none is told."""
    deepgram_silent_after_s: float = Field(default=2.0, ge=0.5, le=30)
    """So much speech that the recogniser says nothing to, and its connection is opened anew."""
    deepgram_fallback_url: WebSocket | None = None
    """Where calls are heard while the first address does not answer: another region's. Empty: nowhere."""
    voice: Literal["cartesia", "aura"] = "cartesia"
    """Who speaks. Aura is Deepgram's, with Deepgram's key."""
    voice_fallback: str = ""
    """Who speaks when the first one cannot, in order: `aura`, `cartesia`, or both names with a comma. Empty: nobody."""
    voice_late_after_ms: int = Field(default=800, ge=200, le=2000)
    """Words without a sound for so long are given to the next voice, too; the first to sound speaks."""
    voice_give_up_after_ms: int = Field(default=2200, ge=500, le=20_000)
    """With nobody else to ask, the turn falls back to lines that were spoken before. A caller hears 3 s of silence as an end."""
    cartesia_api_key: SecretStr = SecretStr("")
    cartesia_base_url: WebSocket = AnyUrl("wss://api.cartesia.ai")
    cartesia_model: str = "sonic-3"
    cartesia_voice_id: str = ""
    cartesia_sockets: int = Field(default=1, ge=1, le=150)
    """Open at all times; the service allows ten for each turn of the account's concurrency."""
    cartesia_contexts: int = Field(default=0, ge=0)
    """Turns spoken at one time, the account's concurrency: one more goes to the next voice at once. 0: any number."""
    aura_model: str = "aura-2-thalia-en"
    aura_sockets: int = Field(default=40, ge=1)
    """At most: one for each turn that is spoken. Deepgram's limit for the project, less what other gateways use."""
    aura_warm_sockets: int = Field(default=2, ge=0, le=20)
    """Open and idle, so that a turn need not wait for a handshake."""

    # --- the model ---------------------------------------------------------------------------
    llm_api_key: SecretStr = SecretStr("")
    llm_base_url: Http = AnyUrl("https://api.openai.com/v1")
    llm_model: str = "gpt-4.1-mini"
    """A single client: OpenAI's, or any that speaks its chat completions. Not read where `llm_clients` is set."""
    llm_clients: str = ""
    """Several: `fast=openai:gpt-4.1-mini,strong=anthropic:…`, in the order in which they stand in for each other."""
    llm_client: dict[str, ClientOptions] = Field(default_factory=dict)
    """Their details: `CALLSPINE_LLM_CLIENT__FAST__API_KEY`, see `ClientOptions`."""
    llm_first_token_timeout_s: float = Field(default=5.0, gt=0, le=60)
    """For a turn, whoever is asked in it."""
    llm_idle_timeout_s: float = Field(default=3.0, gt=0, le=60)
    """Between two tokens."""
    llm_hedge_after_ms: int = Field(default=900, ge=0, le=60_000)
    """Without a token for so long, the next client is asked beside the first; the first token wins. 0: never."""

    # --- which of two models answers a turn (docs/router.md) ------------------------------------
    router: str = "off"
    """`callspine`: our own; `routellm:NAME`: RouteLLM's Controller with this router, `callspine` and `mf` among them."""
    router_strong_share: float = Field(default=0.25, ge=0, le=1)
    """How many of the turns the strong client shall answer, as the router was calibrated."""
    router_threshold: float | None = Field(default=None, ge=0, le=1)
    """The win rate itself from which the strong client answers; RouteLLM's own routers need it."""
    router_model: Path | None = None
    """Weights from `callspine router train`. Empty: those that ship."""

    # --- rehearsal: only `callspine up` and `callspine demo` read these ------------------------
    stand_ins: str = "carrier,stt,tts,llm"
    """What runs as a local stand-in. Take a name out to use the real vendor, with its key."""
    vendors_port: Port = 8041
    carrier_port: Port = 8042
    rehearsal_caller: Path = Path("rehearsal/callers/demo.yaml")
    out_dir: Path = Path("out")
    var_dir: Path = Path("var")

    # --- stores ------------------------------------------------------------------------------
    line_audio_dir: Path = Path("var/line_audio")
    """Authored lines, spoken once: a gateway that starts again takes them from here. May be deleted, may be shared."""
    outbox_dir: Path = Path("var/outbox")
    """Messages that Temporal has not acknowledged, in `<gateway_id>.db`: a local disk that outlives the process."""
    scripts_dir: Path = Path("sales_scripts")
    inbound_script: str = "solar_consult"
    """The script of calls that come in."""
    database_url: str = "sqlite:///var/callspine.db"
    qdrant_url: Http | None = None
    """Empty: Qdrant's local mode, in `knowledge_dir`."""
    qdrant_api_key: SecretStr = SecretStr("")
    knowledge_dir: Path = Path("var/knowledge")
    """The passages of local mode, made from the scripts' folders, for all gateways and ingests of the machine."""

    # --- turn-taking -------------------------------------------------------------------------
    turn_policy: Path | None = None
    """YAML of `TurnPolicy` fields, as `callspine turns replay --policy` tries them; it goes before the settings below."""
    end_model_dir: Path | None = None
    """What `callspine endpointing learn` wrote; empty: the model that ships."""
    end_pause_ms: int = Field(default=700, ge=100, le=5000)
    unfinished_pause_ms: int = Field(default=1500, ge=100, le=10_000)
    filler_after_ms: int = Field(default=1800, ge=200)
    fallback_after_ms: int = Field(default=5000, ge=500)
    silence_ms: int = Field(default=8000, ge=1000)
    openers: bool = True
    """Replies begin with a script's short first words (`Got it.`) where they fit, before the model's are there."""

    @field_validator("codec_keys")
    @classmethod
    def _keys_can_be_read(cls, value: SecretStr) -> SecretStr:
        parse_keys(value.get_secret_value())
        return value

    @field_validator("twilio_from")
    @classmethod
    def _number_is_e164(cls, text: str) -> str:
        if text and not _E164.fullmatch(text):
            raise ValueError("write the number as the carrier does, E.164: +12125550100")
        return text

    @field_validator("llm_clients")
    @classmethod
    def _clients_can_be_read(cls, text: str) -> str:
        parse_clients(text)
        return text

    @field_validator("router")
    @classmethod
    def _router_is_known(cls, text: str) -> str:
        return parse_router(text)

    @field_validator("voice_fallback")
    @classmethod
    def _voices_are_known(cls, text: str) -> str:
        if unknown := set(_names(text)) - {"cartesia", "aura"}:
            raise ValueError(f"no voice {', '.join(sorted(unknown))}: use cartesia, aura, or both")
        return text

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of those that may speak, the preferred one first, each once."""
        return tuple(dict.fromkeys((self.voice, *_names(self.voice_fallback))))

    @field_validator(
        "deepgram_fallback_url",
        "deepgram_eager_eot_threshold",
        "end_model_dir",
        "turn_policy",
        "flight_dir",
        "otlp_endpoint",
        "qdrant_url",
        "router_model",
        "router_threshold",
        mode="before",
    )
    @classmethod
    def _empty_is_off(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("deepgram_model")
    @classmethod
    def _model_is_theirs(cls, text: str) -> str:
        if text.startswith("flux") and text not in ("flux-general-en", "flux-general-multi"):
            raise ValueError("of Flux there are flux-general-en and flux-general-multi")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", text):
            raise ValueError("use a live model's name, such as nova-3 or flux-general-en")
        return text

    @field_validator("worker_build_id")
    @classmethod
    def _build_id_is_plain(cls, text: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{0,64}", text):
            raise ValueError(
                "use letters, digits, `_`, `.` and `-`, at most 64; a git commit is good"
            )
        return text

    @model_validator(mode="after")
    def _eager_end_comes_first(self) -> Settings:
        eager = self.deepgram_eager_eot_threshold
        if eager is not None and eager > self.deepgram_eot_threshold:
            raise ValueError(
                f"{PREFIX}DEEPGRAM_EAGER_EOT_THRESHOLD must be at most "
                f"{PREFIX}DEEPGRAM_EOT_THRESHOLD ({self.deepgram_eot_threshold})"
            )
        return self

    @model_validator(mode="after")
    def _pauses_in_order(self) -> Settings:
        if self.unfinished_pause_ms < self.end_pause_ms:
            raise ValueError(
                f"{PREFIX}UNFINISHED_PAUSE_MS must be at least {PREFIX}END_PAUSE_MS "
                f"({self.end_pause_ms})"
            )
        return self


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError with every variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            path = "__".join(str(part) for part in problem["loc"])
            where = PREFIX + path.upper() if path else "settings"
            lines.append(f"{where}: {problem['msg']}")
        raise SettingsError("\n".join(lines)) from None
    except pydantic_settings.SettingsError as error:
        # A variable whose parts have variables of their own was set by itself, and is no JSON.
        found = re.search(r'field "(\w+)"', str(error))
        name = PREFIX + (found.group(1).upper() if found else "…")
        raise SettingsError(
            f"{name}: it is not read by itself: set its parts, {name}__NAME__OPTION (.env.example shows them)"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(".env: it is not UTF-8 text: save it as UTF-8") from None


_NEEDED_BY_GATEWAY = {
    "twilio_auth_token": "the carrier's requests are signed with it",
    "stream_token_secret": "it signs the media streams' one-time tokens: any 32 random characters",
    "deepgram_api_key": "speech to text is Deepgram",
}
_NEEDED_BY_CARTESIA = {
    "cartesia_api_key": f"Cartesia is among {PREFIX}VOICE and {PREFIX}VOICE_FALLBACK",
    "cartesia_voice_id": "Cartesia speaks with a voice of your account",
}
_NEEDED_BY_WORKER = {
    "twilio_account_sid": "calls are placed through Twilio",
    "twilio_auth_token": "calls are placed through Twilio",
    "twilio_from": "outbound calls need a caller id",
}


def require_for_gateway(settings: Settings) -> None:
    """Refuse to start a gateway that lacks a key or its script. Raises SettingsError naming each variable."""
    needed = _NEEDED_BY_GATEWAY | (_NEEDED_BY_CARTESIA if "cartesia" in settings.voices else {})
    _refuse(
        _missing(settings, needed)
        + _no_model(settings, "the model's endpoint asks for it (any text where it does not)")
        + _no_router(settings)
        + _no_inbound_script(settings)
    )


def require_for_worker(settings: Settings) -> None:
    """Refuse to start a worker that lacks a key. Raises SettingsError naming each variable."""
    _refuse(
        _missing(settings, _NEEDED_BY_WORKER)
        + _no_model(settings, "the model reads the call's transcript afterwards")
    )


def _missing(settings: Settings, needed: dict[str, str]) -> list[str]:
    missing = []
    for name, why in needed.items():
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if not text:
            missing.append(f"{PREFIX}{name.upper()} is not set: {why}")
    return missing


def _no_model(settings: Settings, why: str) -> list[str]:
    clients = parse_clients(settings.llm_clients)
    if not clients:
        return _missing(settings, {"llm_api_key": why})
    return [PREFIX + problem for problem in lacking(clients, settings.llm_client)]


def _no_router(settings: Settings) -> list[str]:
    if settings.router == OFF:
        return []
    problems = []
    clients = list(parse_clients(settings.llm_clients))
    missing = [name for name in (FAST, STRONG) if name not in clients]
    if missing:
        problems.append(
            f"{PREFIX}ROUTER is {settings.router!r}: it chooses between the clients `{FAST}` and `{STRONG}`; "
            f"name {' and '.join(missing)} in {PREFIX}LLM_CLIENTS"
        )
    elif clients[0] != FAST:
        problems.append(
            f"{PREFIX}LLM_CLIENTS begins with `{clients[0]}`: the first client answers where the router "
            f"({PREFIX}ROUTER) has not chosen yet; name `{FAST}` first"
        )
    if needs_threshold(settings.router) and settings.router_threshold is None:
        problems.append(
            f"{PREFIX}ROUTER_THRESHOLD is not set: a router of RouteLLM's has a scale of its own (docs/router.md)"
        )
    return problems


def _no_inbound_script(settings: Settings) -> list[str]:
    folder = settings.scripts_dir
    there = sorted(path.stem for path in folder.glob("*.yaml"))
    if settings.inbound_script in there:
        return []
    has = f"it has {', '.join(there)}" if there else f"set {PREFIX}SCRIPTS_DIR to one that has"
    return [
        f"{PREFIX}INBOUND_SCRIPT is {settings.inbound_script!r}: "
        f"no such script in the folder {folder}; {has}"
    ]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SettingsError("\n".join(problems))


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def base_url(url: AnyUrl) -> str:
    """A URL setting as text without the trailing slash that pydantic adds."""
    return str(url).rstrip("/")
