"""Settings: `.env.example` has each and no other, with its default; an error names the variable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from callspine.doctor.machine import unknown_variables
from callspine.llm_settings import llm_clients
from callspine.settings import PREFIX, Settings, SettingsError, load_settings
from callspine.system import load_settings_with, stand_in_environment

EXAMPLE = Path(".env.example").read_text(encoding="utf-8")
LINE = re.compile(r"^#?(CALLSPINE_[A-Z0-9_]+)=(.*)$", re.MULTILINE)
SHOWN: dict[str, str] = dict(LINE.findall(EXAMPLE))
FIELDS = {PREFIX + name.upper(): name for name in Settings.model_fields}
ONLY_AN_EXAMPLE = {
    "CALLSPINE_PUBLIC_URL",
    "CALLSPINE_TWILIO_FROM",
    "CALLSPINE_OTLP_ENDPOINT",
    "CALLSPINE_QDRANT_URL",
    "CALLSPINE_LLM_CLIENTS",
}
"""What is shown is no default, but what it could look like."""


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in FIELDS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)  # where no .env is


def test_every_setting_is_in_the_example() -> None:
    with_options = {name.partition("__")[0] for name in SHOWN}
    assert set(FIELDS) - with_options == set()


def test_the_example_has_no_variable_that_nobody_reads() -> None:
    assert unknown_variables(SHOWN) == []


def test_no_variable_is_shown_twice() -> None:
    names = [name for name, _ in LINE.findall(EXAMPLE)]
    assert len(names) == len(set(names))


def test_every_variable_is_explained() -> None:
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if LINE.match(line):
            # Of several in a row, the first one's words are for all.
            above = number
            while LINE.match(lines[above]):
                above -= 1
            if lines[above] == "":
                assert lines[above - 1].startswith("# ---"), f"{line} is not explained"


def test_what_is_shown_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings(_env_file=None)
    for name, value in SHOWN.items():
        if name not in ONLY_AN_EXAMPLE and name in FIELDS:
            monkeypatch.setenv(name, value)
    shown = Settings(_env_file=None)
    for name, field in FIELDS.items():
        if name not in ONLY_AN_EXAMPLE:
            assert getattr(shown, field) == getattr(defaults, field), name


def test_every_example_can_be_used_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONLY_AN_EXAMPLE:
        monkeypatch.setenv(name, SHOWN[name])
    assert str(load_settings().otlp_endpoint) == "http://127.0.0.1:4318/"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CALLSPINE_PORT", "eighty"),
        ("CALLSPINE_PUBLIC_URL", "calls.example.com"),
        ("CALLSPINE_TRACE_SHARE", "2"),
        ("CALLSPINE_WORKER_METRICS_PORT", "70000"),
        ("CALLSPINE_TRANSCRIPTS", "nowhere"),
        ("CALLSPINE_CODEC_KEYS", "no key"),
        ("CALLSPINE_UNFINISHED_PAUSE_MS", "100"),
        ("CALLSPINE_WORKER_BUILD_ID", "a b"),
        ("CALLSPINE_LLM_CLIENTS", "gpt"),
        ("CALLSPINE_ROUTER", "dice"),
        ("CALLSPINE_VOICE", "hal"),
        ("CALLSPINE_DEEPGRAM_MODEL", "flux"),
        ("CALLSPINE_VOICE_FALLBACK", "aura,hal"),
        ("CALLSPINE_PORT", "70000"),
        ("CALLSPINE_TEMPORAL_PORT", "-5"),
        ("CALLSPINE_LONGEST_MESSAGE_BYTES", "-1"),
        ("CALLSPINE_PUBLIC_URL", "ftp://calls.example.com"),
        ("CALLSPINE_LLM_BASE_URL", "localhost:8000/v1"),
        ("CALLSPINE_QDRANT_URL", "localhost:6333"),
        ("CALLSPINE_TWILIO_API_BASE_URL", "api.twilio.com:443"),
        ("CALLSPINE_DEEPGRAM_BASE_URL", "https://api.deepgram.com"),
        ("CALLSPINE_CARTESIA_BASE_URL", "https://api.cartesia.ai"),
        ("CALLSPINE_TWILIO_FROM", "2125550100"),
        ("CALLSPINE_LLM_CLIENT", "abc"),
    ],
)
def test_an_error_names_its_variable_and_shows_no_value_of_a_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert variable in str(refused.value)
    if Settings.model_fields[FIELDS[variable]].annotation is SecretStr:
        assert value not in str(refused.value)


def test_a_file_of_settings_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"CALLSPINE_HOST=\xff\n")
    with pytest.raises(SettingsError, match=r"^\.env: it is not UTF-8"):
        load_settings()


def test_the_examples_lines_can_be_set_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPINE_LLM_CLIENT__FAST__BASE_URL", "")
    assert load_settings().llm_client["fast"].base_url is None


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPINE_PORT", "x")
    monkeypatch.setenv("CALLSPINE_SILENCE_MS", "x")
    with pytest.raises(SettingsError, match=r"CALLSPINE_PORT(.|\n)*CALLSPINE_SILENCE_MS"):
        load_settings()


@pytest.mark.parametrize(
    "name",
    [
        "qdrant_url",
        "otlp_endpoint",
        "flight_dir",
        "end_model_dir",
        "router_model",
        "deepgram_fallback_url",
        "deepgram_eager_eot_threshold",
    ],
)
def test_an_empty_variable_turns_off_what_is_off_by_default(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), "")
    assert getattr(load_settings(), name) is None


def test_a_typing_error_is_found() -> None:
    names = ["CALLSPINE_DEEPGRAM_KEY", "callspine_port", "CALLSPINE_LLM_MODEL__X", "HOME"]
    assert unknown_variables(names) == ["CALLSPINE_DEEPGRAM_KEY"]


def test_a_stand_in_for_the_model_goes_before_several_real_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLSPINE_LLM_CLIENTS", "fast=groq:one,strong=anthropic:two")
    monkeypatch.setenv("CALLSPINE_ROUTER", "callspine")
    settings = load_settings_with(stand_in_environment(load_settings(), ["llm"]))
    (client,) = llm_clients(settings)
    assert client.model == "script-reader"
    assert settings.router == "off"
