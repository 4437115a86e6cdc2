"""Which failures Temporal may read: none, but those about keys and words that are not to be had."""

from __future__ import annotations

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes, PayloadConverter

from callspine.privacy.codec import CodecError
from callspine.privacy.word_threads import CallForgotten, WordStoreAway


class EncodingFailureConverter(DefaultFailureConverterWithEncodedAttributes):
    """Message and stack trace become a payload, which the codec encrypts."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """See base class."""
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception, CodecError | CallForgotten | WordStoreAway):
            # It holds no word; and a missing key or database must not be needed to read that it is missing.
            failure.ClearField("encoded_attributes")
            failure.message = str(exception)
