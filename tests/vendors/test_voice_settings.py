"""Which voices the settings name, and what is said of names and keys that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from callspine.settings import Settings, SettingsError, load_settings, require_for_gateway


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "solar_consult.yaml").touch()
    for name, value in {
        "SCRIPTS_DIR": str(tmp_path),
        "TWILIO_AUTH_TOKEN": "t",
        "STREAM_TOKEN_SECRET": "s",
        "DEEPGRAM_API_KEY": "d",
        "LLM_API_KEY": "l",
    }.items():
        monkeypatch.setenv(f"CALLSPINE_{name}", value)
    for name in ("VOICE", "VOICE_FALLBACK", "CARTESIA_API_KEY", "CARTESIA_VOICE_ID"):
        monkeypatch.delenv(f"CALLSPINE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_voices_are_named_in_order_and_each_once() -> None:
    assert Settings().voices == ("cartesia",)
    assert Settings(voice="aura", voice_fallback="cartesia, aura").voices == ("aura", "cartesia")


def test_a_voice_that_does_not_exist_is_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLSPINE_VOICE_FALLBACK", "aura,nobody")
    with pytest.raises(SettingsError, match=r"CALLSPINE_VOICE_FALLBACK: .*no voice nobody"):
        load_settings()


def test_cartesias_key_is_asked_for_only_where_cartesia_speaks() -> None:
    require_for_gateway(Settings(voice="aura"))
    with pytest.raises(SettingsError, match="CALLSPINE_CARTESIA_API_KEY is not set"):
        require_for_gateway(Settings(voice="aura", voice_fallback="cartesia"))


def test_an_empty_address_for_the_fallback_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSPINE_DEEPGRAM_FALLBACK_URL", "")
    assert load_settings().deepgram_fallback_url is None
