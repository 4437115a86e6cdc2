"""PURE. What a model's client is, and how BAML is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LONGEST_REPLY_TOKENS = 400
"""For vendors that want a limit. A reply that is cut by it is broken JSON: twice what a good one takes."""


class Provider(StrEnum):
    """Whose form a client's requests and streams have."""

    OPENAI = "openai"
    AZURE = "azure"
    BEDROCK = "bedrock"
    GROQ = "groq"
    ANTHROPIC = "anthropic"
    COMPATIBLE = "compatible"
    """Any other endpoint that speaks OpenAI's chat completions."""


ADDRESSES = {
    Provider.OPENAI: "https://api.openai.com/v1",
    Provider.GROQ: "https://api.groq.com/openai/v1",
    Provider.ANTHROPIC: "https://api.anthropic.com",
}
"""Where there is one for all. Azure's has the resource's name in it, Bedrock's the region's."""

_BAML = {
    Provider.OPENAI: "openai",
    Provider.AZURE: "azure-openai",
    Provider.BEDROCK: "aws-bedrock",
    Provider.GROQ: "openai-generic",
    Provider.ANTHROPIC: "anthropic",
    Provider.COMPATIBLE: "openai-generic",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmClient:
    """A model that may answer a turn."""

    name: str
    """Of the operator's choosing: `fast`."""
    provider: Provider
    model: str
    """As the vendor names it; for Azure the deployment."""
    api_key: str = field(default="", repr=False)
    """Bedrock: an API key of its own; empty: the credentials that AWS's tools would find."""
    base_url: str = ""
    """Without a trailing slash. Empty: the vendor's own."""
    api_version: str = ""
    """Azure's."""
    region: str = ""
    """Bedrock's."""
    temperature: float | None = 0.2
    """None: not sent, for models that refuse any but their own."""

    @property
    def address(self) -> str:
        """Where it is reached."""
        if self.base_url:
            return self.base_url
        if self.provider is Provider.BEDROCK:
            return f"https://bedrock-runtime.{self.region}.amazonaws.com"
        return ADDRESSES.get(self.provider, "")

    def baml(
        self, *, streams: bool = True, longest_tokens: int = LONGEST_REPLY_TOKENS
    ) -> tuple[str, dict[str, Any]]:
        """BAML's name of the provider and its options."""
        options: dict[str, Any] = (
            {} if self.temperature is None else {"temperature": self.temperature}
        )
        # BAML asks for the count of tokens at OpenAI only; without a stream the question is refused.
        counts = {"stream_options": {"include_usage": True}} if streams else {}
        if self.provider is Provider.BEDROCK:
            address = {"endpoint_url": self.base_url} if self.base_url else {}
            limits = {"max_tokens": longest_tokens, **options}
            return _BAML[self.provider], {
                "model": self.model,
                "region": self.region,
                "inference_configuration": limits,
                **address,
            }
        options |= {"base_url": self.address, "api_key": self.api_key, "model": self.model}
        match self.provider:
            case Provider.AZURE:
                del options["model"]
                options["base_url"] = f"{self.address}/openai/deployments/{self.model}"
                options["api_version"] = self.api_version
                options["max_tokens"] = None  # BAML's own 4096 is refused by reasoning models
                options |= counts
            case Provider.ANTHROPIC:
                options["max_tokens"] = longest_tokens
            case Provider.GROQ:
                options |= counts
            case _:
                pass
        return _BAML[self.provider], options
