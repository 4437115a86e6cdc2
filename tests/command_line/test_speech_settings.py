"""Settings of the recogniser: what cannot work is refused at start by the variable's name."""

from __future__ import annotations

import pytest

from callspine.settings import SettingsError, load_settings


@pytest.mark.parametrize("model", ["nova-3", "nova-2-phonecall", "flux-general-en"])
def test_live_models_are_taken(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("CALLSPINE_DEEPGRAM_MODEL", model)
    monkeypatch.setenv("CALLSPINE_DEEPGRAM_EAGER_EOT_THRESHOLD", "")
    settings = load_settings()
    assert settings.deepgram_model == model
    assert settings.deepgram_eager_eot_threshold is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLSPINE_DEEPGRAM_MODEL", "flux"),
        ("CALLSPINE_DEEPGRAM_MODEL", "nova 3"),
        ("CALLSPINE_DEEPGRAM_MODEL", ""),
        ("CALLSPINE_DEEPGRAM_EOT_THRESHOLD", "0.95"),
        ("CALLSPINE_DEEPGRAM_EAGER_EOT_THRESHOLD", "0.8"),
        ("CALLSPINE_DEEPGRAM_SILENT_AFTER_S", "0"),
    ],
)
def test_what_the_service_would_refuse_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()
