"""Each check on a part that works, and on one that is broken in the ways that happen to people."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from qdrant_client import models as models_of

from callspine.doctor.carrier import account_check, number_check, public_url_check
from callspine.doctor.engine import temporal_check, traces_check
from callspine.doctor.findings import Check, Finding, State, examine
from callspine.doctor.machine import ports_check, settings_check
from callspine.doctor.model import model_check
from callspine.doctor.routing import router_check
from callspine.doctor.stores import database_check, outbox_check, passages_check
from callspine.doctor.visit import checks_for
from callspine.settings import Settings
from callspine.vendors import models
from media_gateway.errors import NoUsableReply
from media_gateway.knowledge.clients import server_collection
from media_gateway.knowledge.collection import COLLECTION
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.ingest import ingest
from tests.gateway.conftest import AUTH_TOKEN, Gateway, gateway, mouth, recorder  # noqa: F401  fixtures
from tests.gateway.fakes import FakeDialogue
from tests.servers import free_port, serving
from tests.simulators.qdrant import Fault, qdrant

NOBODY = "http://127.0.0.1:9"
ACCOUNT = "AC" + "1" * 32


def settings(**changes: object) -> Settings:
    return Settings(_env_file=None, **changes)  # type: ignore[arg-type]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


async def found(check: Check) -> Finding:
    (finding,) = await examine([check])
    return finding


# --- the carrier ---------------------------------------------------------------------------------


async def test_a_gateway_that_the_carrier_can_reach(
    gateway: Gateway,  # noqa: F811
    http: httpx.AsyncClient,
) -> None:
    one = settings(public_url=gateway.url, twilio_auth_token=AUTH_TOKEN, twilio_api_base_url=NOBODY)
    finding = await found(public_url_check(one, http))
    assert finding.state is State.WORKS, finding
    assert not gateway.link.told, "asking changes nothing"


async def test_another_auth_token_behind_the_url_is_found(
    gateway: Gateway,  # noqa: F811
    http: httpx.AsyncClient,
) -> None:
    one = settings(public_url=gateway.url, twilio_auth_token="another", twilio_api_base_url=NOBODY)
    finding = await found(public_url_check(one, http))
    assert finding.state is State.FAILED
    assert "HTTP 403" in finding.what
    assert "CALLSPINE_TWILIO_AUTH_TOKEN" in finding.remedy


def _open_to_all(what: str) -> FastAPI:
    """A gateway that asks for no signature at its webhook, or at its media socket."""
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/twilio/stream-status")
    async def webhook(request: Request) -> Response:
        is_signed = "X-Twilio-Signature" in request.headers
        return Response(status_code=204 if is_signed or what == "webhook" else 403)

    @app.websocket("/media")
    async def media(socket: WebSocket) -> None:
        await socket.accept()

    return app


@pytest.mark.parametrize("what", ["webhook", "media socket"])
async def test_a_gateway_that_takes_what_nobody_signed_is_found(
    http: httpx.AsyncClient, what: str
) -> None:
    async with serving(lambda _: _open_to_all(what)) as url:
        one = settings(public_url=url, twilio_auth_token="t", twilio_api_base_url=NOBODY)
        finding = await found(public_url_check(one, http))
    assert finding.state is State.FAILED
    assert finding.what == f"a {what} without a signature is taken"


async def test_nobody_at_the_public_url(http: httpx.AsyncClient) -> None:
    one = settings(public_url=NOBODY, twilio_auth_token="t", twilio_api_base_url=NOBODY)
    finding = await found(public_url_check(one, http))
    assert (finding.state, finding.what) == (State.FAILED, "ConnectError")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8040", "https://localhost", "https://10.1.2.3", "http://a.example"]
)
async def test_the_real_carrier_wants_a_public_https_url(url: str, http: httpx.AsyncClient) -> None:
    finding = await found(public_url_check(settings(public_url=url), http))
    assert finding.state is State.FAILED
    assert "https URL" in finding.remedy


def _accounts(status: int, said: dict[str, object]) -> FastAPI:
    app = FastAPI()

    @app.get(f"/2010-04-01/Accounts/{ACCOUNT}.json")
    async def account() -> JSONResponse:
        return JSONResponse(said, status)

    return app


@pytest.mark.parametrize(
    ("status", "said", "state", "text"),
    [
        (200, {"status": "active", "type": "Full"}, State.WORKS, "active"),
        (200, {"status": "active", "type": "Trial"}, State.WORKS, "trial"),
        (200, {"status": "suspended", "type": "Full"}, State.FAILED, "suspended"),
        (401, {"code": 20003, "message": "Authenticate", "status": 401}, State.FAILED, "20003"),
        (503, {"message": "no"}, State.FAILED, "HTTP 503"),
    ],
)
async def test_the_carriers_account(
    status: int, said: dict[str, object], state: State, text: str
) -> None:
    async with serving(lambda _: _accounts(status, said)) as url:
        one = settings(
            twilio_account_sid=ACCOUNT,
            twilio_auth_token="t",
            twilio_from="+12125550100",
            twilio_api_base_url=url,
        )
        finding = await found(account_check(one))
    assert finding.state is state, finding
    assert text in finding.what


NUMBER = "+12125550100"
RIGHT = {
    "phone_number": NUMBER,
    "voice_url": "https://calls.example.com/twilio/voice",
    "voice_method": "POST",
    "status_callback": "https://calls.example.com/twilio/status",
}


def _numbers(*numbers: dict[str, object]) -> FastAPI:
    app = FastAPI()

    @app.get(f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json")
    async def numbers_of(PhoneNumber: str) -> dict[str, object]:
        assert PhoneNumber == NUMBER
        return {"incoming_phone_numbers": list(numbers), "page": 0, "page_size": 20}

    return app


@pytest.mark.parametrize(
    ("numbers", "state", "told"),
    [
        ([RIGHT], State.WORKS, "calls that come in"),
        ([], State.WARNS, "verified caller id"),
        ([RIGHT | {"phone_number": NUMBER + "9"}], State.WARNS, "verified caller id"),
        ([RIGHT | {"voice_url": "https://demo.example.com"}], State.WARNS, "/twilio/voice"),
        ([RIGHT | {"voice_method": "GET"}], State.WARNS, "HTTP POST"),
        ([RIGHT | {"voice_url": ""}], State.WARNS, "/twilio/voice"),
        ([RIGHT | {"status_callback": None}], State.WARNS, "/twilio/status"),
        ([RIGHT | {"trunk_sid": "TK1"}], State.WARNS, "Webhook"),
        ([RIGHT | {"voice_application_sid": "AP1"}], State.WARNS, "Webhook"),
    ],
)
async def test_where_calls_to_the_number_go(
    numbers: list[dict[str, object]], state: State, told: str
) -> None:
    async with serving(lambda _: _numbers(*numbers)) as url:
        one = settings(
            public_url="https://calls.example.com",
            twilio_account_sid=ACCOUNT,
            twilio_auth_token="t",
            twilio_from=NUMBER,
            twilio_api_base_url=url,
        )
        finding = await found(number_check(one))
    assert finding.state is state, finding
    assert told in f"{finding.what} {finding.remedy}"
    assert NUMBER not in f"{finding}"


# --- the model -----------------------------------------------------------------------------------


async def test_a_model_that_takes_a_turn() -> None:
    dialogue = FakeDialogue()
    dialogue.replies.append(("permission_given", {}, ["Thank you."]))
    finding = await found(model_check("llm", dialogue, settings()))
    assert finding.state is State.WORKS
    assert "`permission_given` and 2 words" in finding.what
    assert dialogue.requests[0].script.script_id == "solar_consult"


@pytest.mark.parametrize(
    ("client", "status", "remedy"),
    [
        ("llm", 401, "CALLSPINE_LLM_API_KEY"),
        ("llm", 404, "CALLSPINE_LLM_MODEL"),
        ("fast", 401, "CALLSPINE_LLM_CLIENT__FAST__API_KEY"),
        ("fast", 404, "CALLSPINE_LLM_CLIENTS"),
    ],
)
async def test_why_a_model_refuses_is_told_with_the_variable_of_its_client(
    http: httpx.AsyncClient, client: str, status: int, remedy: str
) -> None:
    def app(_: str) -> FastAPI:
        made = FastAPI()

        @made.post("/chat/completions")
        async def refused() -> Response:
            return Response(status_code=status)

        return made

    async with serving(app) as url:
        named = (
            {"llm_base_url": url, "llm_api_key": "k"}
            if client == "llm"
            else {
                "llm_clients": "fast=compatible:one",
                "llm_client": {"fast": {"base_url": url, "api_key": "k"}},
            }
        )
        changed = settings(**named)
        dialogue = models(changed, http)[client]
        finding = await found(model_check(client, dialogue, changed))
    assert finding.state is State.FAILED
    assert remedy in finding.remedy


async def test_a_model_that_does_not_keep_to_the_type() -> None:
    dialogue = FakeDialogue()
    dialogue.replies.append(NoUsableReply("malformed"))
    finding = await found(model_check("llm", dialogue, settings()))
    assert "stronger" in finding.remedy


# --- stores --------------------------------------------------------------------------------------


async def test_databases(tmp_path: Path) -> None:
    there = tmp_path / "crm.db"
    sqlite3.connect(there).execute("CREATE TABLE t (x)")
    assert (await found(database_check(settings(database_url=f"sqlite:///{there}")))).state is (
        State.WORKS
    )
    broken = tmp_path / "no.db"
    broken.write_bytes(b"no database at all" * 100)
    finding = await found(database_check(settings(database_url=f"sqlite:///{broken}")))
    assert (finding.state, finding.what) == (State.FAILED, "DatabaseError")
    none = await found(database_check(settings(database_url=f"sqlite:///{tmp_path}/new/crm.db")))
    assert "the worker makes it" in none.what
    away = await found(
        database_check(settings(database_url="postgresql+psycopg://u:secret@127.0.0.1:9/c"))
    )
    assert away.state is State.FAILED
    assert "secret" not in f"{away}"


async def test_the_outbox_is_written_to_and_left_as_it_was(tmp_path: Path) -> None:
    finding = await found(outbox_check(settings(outbox_dir=tmp_path)))
    assert finding.state is State.WORKS
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    refused = await found(outbox_check(settings(outbox_dir=tmp_path / "file" / "below")))
    assert refused.state is State.FAILED
    assert "CALLSPINE_OUTBOX_DIR" in refused.remedy


async def test_passages_on_a_server(http: httpx.AsyncClient) -> None:
    async with qdrant(api_key="right") as server:
        right = settings(qdrant_url=server.url, qdrant_api_key="right")
        empty = await found(passages_check(right, http))
        assert (empty.state, "ingest" in empty.remedy) == (State.WARNS, True)
        wrong = await found(
            passages_check(
                right.model_copy(update={"qdrant_api_key": type(right.qdrant_api_key)("wrong")}),
                http,
            )
        )
        assert "CALLSPINE_QDRANT_API_KEY" in wrong.remedy
        server.faults.append(Fault.BROKEN)
        broken = await found(passages_check(right, http))
        assert (broken.state, "HTTP 500" in broken.what) == (State.WARNS, True)


async def test_passages_that_another_model_embedded_are_found(http: httpx.AsyncClient) -> None:
    async with qdrant() as server:
        server.store.create_collection(
            COLLECTION,
            vectors_config={
                "other": models_of.VectorParams(size=8, distance=models_of.Distance.DOT)
            },
        )
        server.store.upsert(
            COLLECTION, [models_of.PointStruct(id=1, vector={"other": [0.1] * 8}, payload={})]
        )
        finding = await found(passages_check(settings(qdrant_url=server.url), http))
    assert finding.state is State.WARNS
    assert "was made for other (8 numbers)" in finding.what
    assert "ingest again" in finding.remedy


async def test_passages_that_are_ours_are_searched(http: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Warranty\nIt lasts twenty-five years.")
    async with qdrant() as server:
        collection = server_collection(server.url, None)
        await ingest(collection, script_id="s", folder=tmp_path, embedder=Embedder())
        await collection.close()
        finding = await found(passages_check(settings(qdrant_url=server.url), http))
    assert (finding.state, finding.what) == (
        State.WORKS,
        "1 points on the server; time to search them",
    )


# --- the router ----------------------------------------------------------------------------------


async def test_a_router_that_is_asked_for_is_made_and_chooses() -> None:
    assert (await found(router_check(settings()))).state is State.SKIPPED
    finding = await found(router_check(settings(router="callspine")))
    assert finding.state is State.WORKS, finding
    assert "`strong` for a hard question" in finding.what


async def test_a_router_that_cannot_be_made_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights = await found(
        router_check(settings(router="callspine", router_model=tmp_path / "none.npz"))
    )
    assert (weights.state, "callspine router train" in weights.remedy) == (State.WARNS, True)
    assert "CALLSPINE_ROUTER_MODEL" in weights.what
    monkeypatch.setattr("media_gateway.routing.controller.find_spec", lambda _: None)
    extra = await found(router_check(settings(router="routellm:callspine")))
    assert (extra.state, extra.what) == (State.WARNS, "RouteLLM is not installed")
    assert "pip install 'callspine[router]'" in extra.remedy
    assert "the fast client answers" in extra.remedy


async def test_passages_in_local_mode(http: httpx.AsyncClient) -> None:
    assert (await found(passages_check(settings(), http))).state is State.WORKS


# --- the machine ---------------------------------------------------------------------------------

COMPLETE = {
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": "t",
    "twilio_from": "+12125550100",
    "stream_token_secret": "s",
    "deepgram_api_key": "k",
    "cartesia_api_key": "k",
    "cartesia_voice_id": "v",
    "llm_api_key": "k",
}


async def test_settings_that_are_complete(tmp_path: Path) -> None:
    assert (await found(settings_check(settings(**COMPLETE), tmp_path / ".env"))).state is (
        State.WORKS
    )


async def test_each_missing_variable_is_told_once(tmp_path: Path) -> None:
    finding = await found(settings_check(settings(), tmp_path / ".env"))
    assert finding.state is State.FAILED
    assert finding.what.startswith("8 missing")
    assert finding.remedy.count("CALLSPINE_TWILIO_AUTH_TOKEN") == 1


async def test_a_variable_that_nobody_reads_is_told(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("CALLSPINE_LLM_MODLE=gpt\n")
    finding = await found(settings_check(settings(**COMPLETE), file))
    assert finding.state is State.WARNS
    assert "did you mean CALLSPINE_LLM_MODEL?" in finding.remedy


async def test_the_port(gateway: Gateway, http: httpx.AsyncClient) -> None:  # noqa: F811
    port = int(gateway.url.rsplit(":", 1)[1])
    own = await found(ports_check(settings(port=port, gateway_id="gateway-test"), http))
    assert (own.state, "the gateway is there" in own.what) == (State.WORKS, True)
    others = await found(ports_check(settings(port=port, gateway_id="gateway-2"), http))
    assert (others.state, "CALLSPINE_PORT" in others.remedy) == (State.FAILED, True)
    assert (await found(ports_check(settings(port=free_port()), http))).state is State.WORKS


async def test_a_port_that_a_stranger_has(http: httpx.AsyncClient) -> None:
    async with serving(lambda _: FastAPI()) as url:
        one = settings(port=int(url.rsplit(":", 1)[1]))
        finding = await found(ports_check(one, http))
    assert finding.state is State.FAILED
    assert "CALLSPINE_PORT" in finding.remedy


async def test_nobody_at_temporals_address() -> None:
    finding = await found(temporal_check(settings(temporal_address="127.0.0.1:9")))
    assert finding.state is State.FAILED
    assert "CALLSPINE_TEMPORAL_ADDRESS" in finding.remedy


async def test_traces(http: httpx.AsyncClient) -> None:
    assert (await found(traces_check(settings(), http))).state is State.SKIPPED
    away = await found(traces_check(settings(otlp_endpoint=NOBODY), http))
    assert away.state is State.WARNS, "calls go on without"


# --- all of them ---------------------------------------------------------------------------------


async def test_a_vendor_without_a_key_is_a_stand_in_or_forgotten(http: httpx.AsyncClient) -> None:
    async def states(**changes: object) -> dict[str, State]:
        checks = checks_for(settings(**changes), http, Path("none"))
        wanted = [c for c in checks if c.name in ("carrier", "voice", "recogniser", "model")]
        return {finding.name: finding.state for finding in await examine(wanted)}

    assert set((await states()).values()) == {State.SKIPPED}
    assert await states(stand_ins="carrier,tts") == {
        "carrier": State.SKIPPED,
        "voice": State.SKIPPED,
        "recogniser": State.FAILED,
        "model": State.FAILED,
    }


async def test_every_configured_vendor_is_asked(http: httpx.AsyncClient) -> None:
    rehearsed = settings(**COMPLETE, twilio_api_base_url=NOBODY)
    of_stand_ins = {check.name for check in checks_for(rehearsed, http, Path("none"))}
    assert "carrier: number" not in of_stand_ins
    real = settings(**COMPLETE, stand_ins="")
    names = {check.name for check in checks_for(real, http, Path("none"))}
    assert {
        "carrier: number",
        "carrier: account",
        "public URL",
        "voice: cartesia",
        "recogniser: deepgram",
        "model: llm",
        "Temporal",
        "database",
        "passages",
        "router",
    } <= names


async def test_every_voice_and_address_that_stands_in_is_asked(http: httpx.AsyncClient) -> None:
    several = settings(
        **COMPLETE,
        voice="aura",
        voice_fallback="cartesia",
        deepgram_fallback_url="wss://api.eu.deepgram.com",
    )
    names = [check.name for check in checks_for(several, http, Path("none"))]
    speech = [name for name in names if name.startswith(("voice", "recogniser"))]
    assert speech == [
        "voice: aura",
        "voice: cartesia",
        "recogniser: deepgram",
        "recogniser: deepgram fallback",
    ]


async def test_a_voice_of_deepgrams_needs_no_other_key(http: httpx.AsyncClient) -> None:
    only = settings(deepgram_api_key="k", voice="aura")
    assert "voice: aura" in {check.name for check in checks_for(only, http, Path("none"))}
