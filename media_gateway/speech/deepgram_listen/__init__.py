"""Deepgram's live transcription, `/v1/listen` (Nova) and `/v2/listen` (Flux): the parts behind `deepgram_stt`."""
