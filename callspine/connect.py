"""The way to Temporal, for every composition root and command: where it is, and what it may read."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.client import Client, Interceptor
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
)
from temporalio.runtime import Runtime

from callspine.privacy.codec import AesGcmCodec
from callspine.privacy.failures import EncodingFailureConverter
from callspine.privacy.keys import parse_keys
from callspine.privacy.query_answers import MarkingPayloadConverter
from callspine.privacy.word_store import WordStore
from callspine.privacy.word_threads import StoreInThreads
from callspine.privacy.words_codec import WordsCodec
from callspine.settings import Settings, SettingsError


async def connect(
    settings: Settings,
    *,
    interceptors: Sequence[Interceptor] = (),
    runtime: Runtime | None = None,
) -> Client:
    """A Temporal client. Raises SettingsError naming the address when nothing answers there."""
    try:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            data_converter=data_converter(settings),
            interceptors=interceptors,
            runtime=runtime,
        )
    except RuntimeError as error:
        raise SettingsError(
            f"no Temporal at {settings.temporal_address}: start one with `make up`, "
            "or set CALLSPINE_TEMPORAL_ADDRESS"
        ) from error


def data_converter(settings: Settings) -> DataConverter:
    """How values become what Temporal holds: for clients, workers and replays alike."""
    codec = payload_codec(settings)
    return DataConverter(
        payload_converter_class=MarkingPayloadConverter
        if codec.writes
        else DefaultPayloadConverter,
        payload_codec=codec,
        # A failure's message and stack trace are encrypted (or kept) as payloads are.
        failure_converter_class=EncodingFailureConverter
        if codec.sealing or codec.writes
        else DefaultFailureConverter,
    )


def payload_codec(settings: Settings) -> WordsCodec:
    """Encryption, and words in the database: each as the settings say."""
    keys = parse_keys(settings.codec_keys.get_secret_value())
    return WordsCodec(
        words=StoreInThreads(WordStore(settings.database_url)),
        sealing=AesGcmCodec(keys) if keys else None,
        writes=settings.transcripts == "store",
    )
