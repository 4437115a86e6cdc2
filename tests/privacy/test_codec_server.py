"""The codec server over real HTTP: the UI reads a call through it, and nobody else does."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import WorkflowHistory

from callspine.connect import connect, payload_codec
from callspine.privacy.codec_server import LONGEST_BODY_BYTES, create_app, require_safe_host
from callspine.privacy.keys import new_key
from callspine.settings import Settings, SettingsError
from callspine.temporal_server import TemporalServer, temporal_cli
from tests.durable.house import House
from tests.privacy.histories import ENCRYPTED, raw_payloads, readable, said, settings
from tests.replay.record import CALLS
from tests.servers import free_port, serving

UI = "http://127.0.0.1:8233"


@asynccontextmanager
async def codec_server(chosen: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(lambda _: create_app(chosen, payload_codec(chosen))) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        yield http


def body(text: str = "it is metal") -> dict[str, Any]:
    """One payload as the UI sends it."""
    metadata = {"encoding": base64.b64encode(b"json/plain").decode()}
    data = base64.b64encode(json.dumps(text).encode()).decode()
    return {"payloads": [{"metadata": metadata, "data": data}]}


@pytest.mark.parametrize("transcripts", ["history", "store"])
async def test_the_ui_and_the_cli_read_a_call_through_it(tmp_path: Path, transcripts: str) -> None:
    port, ui_port, codec_port = free_port(), free_port(), free_port()
    chosen = settings(
        **ENCRYPTED,
        transcripts=transcripts,
        database_url=f"sqlite:///{tmp_path}/words.db",
        temporal_address=f"127.0.0.1:{port}",
        temporal_ui_port=str(ui_port),
    )
    endpoint = f"http://127.0.0.1:{codec_port}"
    server = TemporalServer(
        port=port,
        ui_port=ui_port,
        db_file=None,
        log_file=tmp_path / "temporal.log",
        codec_endpoint=endpoint,
    )
    async with server, codec_server(chosen) as http:
        async with httpx.AsyncClient() as ui:
            shown = await ui.get(f"http://127.0.0.1:{ui_port}/api/v1/settings")
        assert shown.json()["Codec"]["Endpoint"] == endpoint
        client = await connect(chosen)
        house = House()
        async with house.open(client):
            handle = await CALLS["appointment"](client, house)
            words = said(await handle.result())
        history = await handle.fetch_history()
        assert not [word for word in words if word in readable(history)]

        # As the UI does: from its own origin, with the namespace in a header.
        answer = await http.post(
            "/decode",
            json={"payloads": raw_payloads(history)},
            headers={"Origin": f"http://localhost:{ui_port}", "X-Namespace": "default"},
        )
        assert answer.headers["access-control-allow-origin"] == f"http://localhost:{ui_port}"
        decoded = answer.json()["payloads"]
        text = "\n".join(
            base64.b64decode(payload.get("data", "")).decode("utf-8", "replace")
            for payload in decoded
        )
        assert [word for word in words if word not in text] == []

        show = ("workflow", "show", "--workflow-id", handle.id)
        shown_history = await temporal(*show, port=port, http=http)
        seen = readable(WorkflowHistory.from_json(handle.id, shown_history))
        assert [word for word in words if word not in seen] == []


async def temporal(*arguments: str, port: int, http: httpx.AsyncClient) -> str:
    """What Temporal's own command line prints."""
    process = await asyncio.create_subprocess_exec(
        temporal_cli(),
        *arguments,
        f"--address=127.0.0.1:{port}",
        f"--codec-endpoint={http.base_url}",
        "--output=json",
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TEMPORAL_CONFIG_FILE": os.devnull},
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return output.decode()


async def test_what_is_encoded_can_be_decoded_and_shows_no_word() -> None:
    async with codec_server(settings(**ENCRYPTED)) as http:
        encoded = (await http.post("/encode", json=body())).json()
        assert "metal" not in base64.b64decode(encoded["payloads"][0]["data"]).decode("latin-1")
        assert (await http.post("/decode", json=encoded)).json() == body()


async def test_only_the_uis_pages_may_ask() -> None:
    async with codec_server(settings(**ENCRYPTED)) as http:
        preflight = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-namespace",
        }
        allowed = await http.options("/decode", headers={"Origin": UI, **preflight})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == UI
        other = "https://elsewhere.example"
        refused = await http.options("/decode", headers={"Origin": other, **preflight})
        assert "access-control-allow-origin" not in refused.headers
        asked = await http.post("/decode", json=body(), headers={"Origin": other})
        assert asked.status_code == 403
        assert "CALLSPINE_CODEC_UI_ORIGIN" in asked.text
    own = settings(**ENCRYPTED, codec_ui_origin="https://temporal.example/")
    async with codec_server(own) as http:
        headers = {"Origin": "https://temporal.example"}
        assert (await http.post("/decode", json=body(), headers=headers)).status_code == 200
        assert (await http.post("/decode", json=body(), headers={"Origin": UI})).status_code == 403


async def test_a_token_that_is_set_is_asked_for() -> None:
    async with codec_server(settings(**ENCRYPTED, codec_token="s3cret")) as http:
        for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
            refused = await http.post("/decode", json=body(), headers=given)
            assert refused.status_code == 401
            assert "s3cret" not in refused.text
        headers = {"Authorization": "Bearer s3cret"}
        assert (await http.post("/decode", json=body(), headers=headers)).status_code == 200


async def test_another_namespace_is_refused() -> None:
    async with codec_server(settings(**ENCRYPTED)) as http:
        answer = await http.post("/decode", json=body(), headers={"X-Namespace": "other"})
    assert answer.status_code == 400
    assert "namespace default" in answer.text


@pytest.mark.parametrize(
    "sent", [b"", b"7", b"\xff\xfe", b'{"payloads": [{"data": "it is metal"}]}']
)
async def test_what_is_no_payloads_is_refused_and_not_repeated(sent: bytes) -> None:
    async with codec_server(settings(**ENCRYPTED)) as http:
        answer = await http.post("/decode", content=sent)
    assert answer.status_code == 400
    assert "Payloads" in answer.text
    assert "metal" not in answer.text


async def test_a_huge_body_is_refused() -> None:
    async with codec_server(settings(**ENCRYPTED)) as http:
        answer = await http.post("/decode", content=b" " * (LONGEST_BODY_BYTES + 1))
    assert answer.status_code == 413


async def test_a_payload_that_cannot_be_read_is_an_error_and_never_cipher_text(
    tmp_path: Path,
) -> None:
    async with codec_server(settings(**ENCRYPTED)) as http:
        encoded = (await http.post("/encode", json=body())).json()
    async with codec_server(settings(codec_keys=new_key("k2"))) as http:
        answer = await http.post("/decode", json=encoded)
    assert answer.status_code == 422
    assert "add k1:" in answer.text
    assert encoded["payloads"][0]["data"] not in answer.text


def test_a_host_that_others_reach_needs_a_token() -> None:
    with pytest.raises(SettingsError, match="set CALLSPINE_CODEC_TOKEN"):
        require_safe_host(settings(codec_host="0.0.0.0"))
    with pytest.raises(SettingsError, match=r"CODEC_HOST is codec\.example"):
        require_safe_host(settings(codec_host="codec.example"))
    require_safe_host(settings(codec_host="0.0.0.0", codec_token="s3cret"))
    for host in ("127.0.0.1", "::1", "localhost"):
        require_safe_host(settings(codec_host=host))
