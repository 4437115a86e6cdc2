# mypy: ignore-errors
"""A telephone bot of pipecat-ai 1.14.0, with its defaults for Twilio: `pipecat_bot.py PORT SPEECH MODEL`.

Run by the Python of an environment of its own, which has
`pipecat-ai[websocket,deepgram,cartesia,openai,silero]==1.14.0` and uvicorn, and nothing of ours. SPEECH and MODEL are
`HOST:PORT` of the emulated vendors.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import WorkerRunner
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

PORT, SPEECH, MODEL = int(sys.argv[1]), sys.argv[2], sys.argv[3]
app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether it is up."""
    return {"status": "ok"}


@app.websocket("/media")
async def media(socket: WebSocket) -> None:
    """One call."""
    await socket.accept()
    messages = socket.iter_json()
    await anext(messages)  # connected
    start = await anext(messages)
    serializer = TwilioFrameSerializer(
        stream_sid=start["streamSid"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=socket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
        ),
    )
    context = LLMContext()
    pair = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    pipeline = Pipeline(
        [
            transport.input(),
            DeepgramSTTService(api_key="bench", base_url=f"ws://{SPEECH}"),
            pair.user(),
            OpenAILLMService(
                api_key="bench",
                base_url=f"http://{MODEL}/v1",
                settings=OpenAILLMService.Settings(
                    model="bench", system_instruction="You sell solar panels by telephone."
                ),
            ),
            CartesiaTTSService(
                api_key="bench",
                url=f"ws://{SPEECH}/tts/websocket",
                settings=CartesiaTTSService.Settings(voice="bench"),
            ),
            transport.output(),
            pair.assistant(),
        ]
    )
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000)
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    @transport.event_handler("on_client_connected")
    async def connected(_transport: object, _client: object) -> None:
        context.add_message({"role": "developer", "content": "Introduce yourself."})
        await worker.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_client_disconnected")
    async def disconnected(_transport: object, _client: object) -> None:
        await runner.cancel()

    await runner.run()


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", ws_per_message_deflate=False)
