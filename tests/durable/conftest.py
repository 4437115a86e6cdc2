"""A Temporal server that skips time, from its wheel, one a test."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from tests.durable.house import House
from workflows import search_attributes

TEST_SERVER = Path(sys.executable).parent / "temporal-test-server"


@asynccontextmanager
async def skipping_time() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock runs on to the next timer while a result is waited for."""
    # Without the path the SDK would download a server.
    env = await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(TEST_SERVER))
    # This server can add attributes, but not list them.
    names = {key.name: int(key.indexed_value_type) for key in search_attributes.ALL}
    request = AddSearchAttributesRequest(namespace="default", search_attributes=names)  # type: ignore[arg-type]
    await env.client.operator_service.add_search_attributes(request)
    try:
        yield env
    finally:
        await env.shutdown()


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_time() as env:
        yield env


@pytest.fixture
def client(environment: WorkflowEnvironment) -> Client:
    return environment.client


@pytest.fixture
def house() -> House:
    return House()
