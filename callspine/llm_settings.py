"""Which model's clients the settings name: `CALLSPINE_LLM_CLIENTS` with its details, or the single client of old."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    UrlConstraints,
    field_validator,
)

from callspine.router_settings import STRONG
from media_gateway.llm.aws import is_installed
from media_gateway.llm.client import LlmClient, Provider

if TYPE_CHECKING:
    from callspine.settings import Settings

ONLY = "llm"
"""Name of the client that CALLSPINE_LLM_MODEL and its like make up."""
_OPENAI_HOST = "api.openai.com"
_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")
MOST_CLIENTS = 8
LONGEST_REPORT_TOKENS = 1500


class ClientOptions(BaseModel):
    """One client's details: `CALLSPINE_LLM_CLIENT__NAME__OPTION`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr = SecretStr("")
    base_url: (
        Annotated[AnyUrl, UrlConstraints(allowed_schemes=["http", "https"], host_required=True)]
        | None
    ) = None
    api_version: str = "2024-10-21"
    """Azure's."""
    region: str = ""
    """Bedrock's, `us-east-1`."""
    temperature: float | None = Field(default=0.2, ge=0, le=2)
    """Empty in the environment: not sent."""

    @field_validator("temperature", "base_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


def parse_clients(text: str) -> dict[str, tuple[Provider, str]]:
    """`name=provider:model[,…]` as provider and model by name, in this order. Raises ValueError with the remedy."""
    found: dict[str, tuple[Provider, str]] = {}
    for item in (item.strip() for item in text.split(",")):
        if not item:
            continue
        name, is_named, rest = item.partition("=")
        kind, has_model, model = rest.partition(":")
        if not (is_named and has_model and model.strip()):
            raise ValueError(
                f"{item!r} is none of `name=provider:model`, e.g. `fast=openai:gpt-4.1-mini`"
            )
        name, kind = name.strip().lower(), kind.strip().lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name {name!r} must be of letters and digits, e.g. `fast`")
        if name in found:
            raise ValueError(f"{name!r} is named twice; give each client a name of its own")
        if kind not in set(Provider):
            raise ValueError(f"there is no provider {kind!r}; there are {', '.join(Provider)}")
        found[name] = Provider(kind), model.strip()
    if len(found) > MOST_CLIENTS:
        raise ValueError(f"names {len(found)} clients; at most {MOST_CLIENTS} make sense")
    return found


def llm_clients(settings: Settings) -> tuple[LlmClient, ...]:
    """The clients in the order in which they stand in for each other. At least one."""
    named = parse_clients(settings.llm_clients)
    if not named:
        is_openai = settings.llm_base_url.host == _OPENAI_HOST
        return (
            LlmClient(
                name=ONLY,
                provider=Provider.OPENAI if is_openai else Provider.COMPATIBLE,
                model=settings.llm_model,
                api_key=settings.llm_api_key.get_secret_value(),
                base_url=str(settings.llm_base_url).rstrip("/"),
            ),
        )
    return tuple(
        _client(name, provider, model, settings.llm_client.get(name, ClientOptions()))
        for name, (provider, model) in named.items()
    )


def reader_of_calls(settings: Settings) -> tuple[str, dict[str, Any]]:
    """BAML's provider and options of the client that reads a call's transcript afterwards: the strong one, if any.

    Bedrock is read with the credentials of AWS's own chain there: BAML makes that request, and takes no API key for it.
    """
    clients = llm_clients(settings)
    chosen = next((client for client in clients if client.name == STRONG), clients[0])
    if chosen.temperature is not None:
        chosen = replace(chosen, temperature=0.0)
    return chosen.baml(streams=False, longest_tokens=LONGEST_REPORT_TOKENS)


def lacking(
    clients: Mapping[str, tuple[Provider, str]], options: Mapping[str, ClientOptions]
) -> list[str]:
    """What has to be set before these clients can be asked, each with its variable's name (without the prefix)."""
    problems = [
        f"LLM_CLIENT__{name.upper()}__…: CALLSPINE_LLM_CLIENTS names no client {name!r}; add it there, or take this out"
        for name in options
        if name not in clients
    ]
    for name, (provider, _) in clients.items():
        of_it = options.get(name, ClientOptions())
        variable = f"LLM_CLIENT__{name.upper()}__"
        if provider is Provider.BEDROCK:
            if not of_it.region:
                problems.append(
                    f"{variable}REGION is not set: Bedrock is reached by region, e.g. `us-east-1`"
                )
            if not is_installed():
                problems.append(
                    f"LLM_CLIENTS names Bedrock for {name!r}, whose streams need botocore: "
                    "pip install 'callspine[bedrock]'"
                )
            continue
        if not of_it.api_key.get_secret_value():
            problems.append(f"{variable}API_KEY is not set: {_why(provider)}")
        if of_it.base_url is None and provider in (Provider.AZURE, Provider.COMPATIBLE):
            example = (
                "https://RESOURCE.openai.azure.com"
                if provider is Provider.AZURE
                else "http://127.0.0.1:8000/v1"
            )
            problems.append(
                f"{variable}BASE_URL is not set: {provider} has no address of its own, e.g. {example}"
            )
    return problems


def _why(provider: Provider) -> str:
    if provider is Provider.COMPATIBLE:
        return "the endpoint asks for it (any text where it does not)"
    return f"{provider} asks for a key"


def _client(name: str, provider: Provider, model: str, options: ClientOptions) -> LlmClient:
    return LlmClient(
        name=name,
        provider=provider,
        model=model,
        api_key=options.api_key.get_secret_value(),
        base_url=str(options.base_url).rstrip("/") if options.base_url else "",
        api_version=options.api_version,
        region=options.region,
        temperature=options.temperature,
    )
