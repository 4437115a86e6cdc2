"""How each provider is spoken to: the form of its stream, and what its request needs beside BAML's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from baml_py import ClientRegistry, HTTPRequest

from baml_client import b
from baml_client.types import TurnContext
from media_gateway.llm.aws import BedrockSigner, Signer, Unsigned
from media_gateway.llm.client import LlmClient, Provider
from media_gateway.llm.events import Frame, Read, read_anthropic, read_bedrock, read_openai
from media_gateway.llm.frames import aws_event_stream, server_sent

_NAME = "Chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A request as BAML made it; `body` is JSON, with holes."""

    url: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One client's, for the life of a process."""

    client: LlmClient
    registry: ClientRegistry
    frames: Callable[[httpx.Response], AsyncGenerator[Frame, None]] = server_sent
    read: Read = read_openai
    signer: Signer = field(default_factory=Unsigned)

    async def build(self, context: TurnContext) -> Built:
        """Have BAML write the turn's request for this client. Milliseconds on a busy machine."""
        options: Any = {"client_registry": self.registry}
        if self.client.provider is not Provider.BEDROCK:
            return _built(await b.stream_request.TakeTurn(context, options))
        # BAML builds Bedrock's Converse request, but none that streams; their bodies are the same.
        built = _built(await b.request.TakeTurn(context, options))
        path = httpx.URL(built.url).raw_path.decode("ascii")
        return Built(
            url=f"{self.client.address}{path}-stream",
            headers={"content-type": "application/json"},
            body=built.body,
        )


def wire_of(client: LlmClient) -> Wire:
    """The wire to a client."""
    registry = ClientRegistry()
    provider, options = client.baml()
    registry.add_llm_client(_NAME, provider, options)
    registry.set_primary(_NAME)
    match client.provider:
        case Provider.ANTHROPIC:
            return Wire(client=client, registry=registry, read=read_anthropic)
        case Provider.BEDROCK:
            return Wire(
                client=client,
                registry=registry,
                frames=aws_event_stream,
                read=read_bedrock,
                signer=BedrockSigner(region=client.region, api_key=client.api_key),
            )
        case _:
            return Wire(client=client, registry=registry)


def _built(request: HTTPRequest) -> Built:
    headers = {k: v for k, v in request.headers.items() if k != "baml-original-url"}
    return Built(url=request.url, headers=headers, body=request.body.json())
