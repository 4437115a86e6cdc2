"""The model's clients by settings: read, refused with the variable's name, and as BAML is told of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callspine import llm_settings
from callspine.llm_settings import llm_clients, reader_of_calls
from callspine.settings import Settings, SettingsError, load_settings, require_for_worker
from media_gateway.llm.client import Provider

SEVERAL = {
    "LLM_CLIENTS": (
        "fast=groq:llama-3.3-70b-versatile, strong=anthropic:claude-sonnet-4-5, "
        "spare=azure:my-deployment, aws=bedrock:us.amazon.nova-lite-v1:0, own=compatible:qwen"
    ),
    "LLM_CLIENT__FAST__API_KEY": "k1",
    "LLM_CLIENT__STRONG__API_KEY": "k2",
    "LLM_CLIENT__STRONG__TEMPERATURE": "",
    "LLM_CLIENT__SPARE__API_KEY": "k3",
    "LLM_CLIENT__SPARE__BASE_URL": "https://res.openai.azure.com/",
    "LLM_CLIENT__AWS__REGION": "eu-west-1",
    "LLM_CLIENT__OWN__API_KEY": "k5",
    "LLM_CLIENT__OWN__BASE_URL": "http://127.0.0.1:8000/v1",
}
Make = Callable[[dict[str, str]], Settings]
WORKER = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+15005550006"}


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    monkeypatch.chdir(tmp_path)  # no .env
    monkeypatch.setattr(llm_settings, "is_installed", lambda: True)

    def made(values: dict[str, str]) -> Settings:
        for name, value in values.items():
            monkeypatch.setenv(f"CALLSPINE_{name}", value)
        return load_settings()

    return made


def test_the_single_client_of_old_goes_on_working(settings_of: Make) -> None:
    (own,) = llm_clients(
        settings_of({"LLM_BASE_URL": "http://127.0.0.1:1/v1", "LLM_API_KEY": "k", "LLM_MODEL": "m"})
    )
    assert (own.provider, own.model, own.api_key) == (Provider.COMPATIBLE, "m", "k")
    assert own.address == "http://127.0.0.1:1/v1"
    (openai,) = llm_clients(settings_of({"LLM_BASE_URL": "https://api.openai.com/v1"}))
    assert openai.provider is Provider.OPENAI


def test_several_clients_stand_in_for_each_other_in_the_order_in_which_they_are_named(
    settings_of: Make,
) -> None:
    settings = settings_of(SEVERAL | WORKER)
    require_for_worker(settings)
    clients = llm_clients(settings)
    assert [client.name for client in clients] == ["fast", "strong", "spare", "aws", "own"]
    fast, strong, spare, aws, own = clients
    assert fast.address == "https://api.groq.com/openai/v1"
    assert (strong.temperature, strong.api_key) == (None, "k2")
    assert spare.baml()[1]["base_url"] == (
        "https://res.openai.azure.com/openai/deployments/my-deployment"
    )
    assert (aws.model, aws.region) == ("us.amazon.nova-lite-v1:0", "eu-west-1")
    assert own.address == "http://127.0.0.1:8000/v1"


def test_calls_are_read_by_the_strong_client_without_what_only_a_stream_may_ask(
    settings_of: Make,
) -> None:
    provider, options = reader_of_calls(settings_of(SEVERAL))
    assert provider == "anthropic"
    assert options["max_tokens"] >= 1000, "a report is longer than a reply"
    assert "stream_options" not in options


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("fast", "name=provider:model"),
        ("fast=openai", "name=provider:model"),
        ("fast=openai:", "name=provider:model"),
        ("fa st=openai:m", "letters and digits"),
        ("fast=opena1:m", "there are openai, azure, bedrock, groq, anthropic, compatible"),
        ("fast=openai:m,fast=groq:m", "named twice"),
        (",".join(f"c{n}=openai:m" for n in range(9)), "at most 8"),
    ],
)
def test_clients_that_cannot_be_read_are_refused_with_the_variables_name(
    settings_of: Make,
    text: str,
    remedy: str,
) -> None:
    with pytest.raises(SettingsError, match=r"^CALLSPINE_LLM_CLIENTS: ") as refused:
        settings_of({"LLM_CLIENTS": text})
    assert remedy in str(refused.value)


def test_a_detail_of_the_wrong_form_is_refused_with_the_variables_name(
    settings_of: Make,
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of({"LLM_CLIENT__FAST__TEMPERATURE": "hot", "LLM_CLIENT__FAST__APIKEY": "k"})
    assert "CALLSPINE_LLM_CLIENT__FAST__TEMPERATURE: " in str(refused.value)
    assert "CALLSPINE_LLM_CLIENT__FAST__APIKEY: " in str(refused.value)


def test_what_the_clients_lack_is_told_all_at_once(
    settings_of: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(llm_settings, "is_installed", lambda: False)
    lacks = {"LLM_CLIENTS": SEVERAL["LLM_CLIENTS"], "LLM_CLIENT__FASTER__API_KEY": "k"}
    with pytest.raises(SettingsError) as refused:
        require_for_worker(settings_of(lacks | WORKER))
    text = str(refused.value)
    for told in (
        "CALLSPINE_LLM_CLIENT__FAST__API_KEY is not set",
        "CALLSPINE_LLM_CLIENT__STRONG__API_KEY is not set",
        "CALLSPINE_LLM_CLIENT__SPARE__BASE_URL is not set",
        "CALLSPINE_LLM_CLIENT__AWS__REGION is not set",
        "pip install 'callspine[bedrock]'",
        "CALLSPINE_LLM_CLIENT__OWN__BASE_URL is not set",
        "names no client 'faster'",
    ):
        assert told in text
    assert "CALLSPINE_LLM_API_KEY" not in text, "that is the single client's"
