"""Which builds of the calls' worker there are, and which of them new calls go to. A call stays on the build it began on.

Only the workflows of calls are versioned: activities hold no progress, so any worker's will do.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

import workflows
from callspine.settings import PREFIX, SettingsError

DEPLOYMENT = "callspine-calls"
BUILD_ID = f"{PREFIX}WORKER_BUILD_ID"
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Version:
    """One build as the server sees it."""

    build_id: str
    status: str
    """current, ramping, inactive, draining or drained."""
    running_calls: int
    status_checked_at: datetime | None
    """When the server last counted a draining build's calls; it does so every few minutes."""


def pinned_to(build_id: str) -> WorkerDeploymentConfig | None:
    """How the calls' worker of this build takes part; None for an empty one: unversioned."""
    if not build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id),
        use_worker_versioning=True,
        # Calls last minutes: each ends on the code that it began on, and no change needs a patch for its sake.
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def build_id_of_this_code() -> str:
    """The same for the same workflow code, whoever starts it and wherever it lies."""
    (folder,) = (Path(path) for path in workflows.__path__)
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


async def promote(client: Client, build_id: str, *, within_s: float = 0.0) -> None:
    """Let new calls go to this build, waiting so long for its worker to be known. Raises SettingsError."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build_id,
        identity=client.identity,
    )
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            waits = error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)
            if not waits or asyncio.get_running_loop().time() >= deadline:
                raise _refused(error, build_id) from error
            await asyncio.sleep(_POLL_S)
        else:
            return


async def versions(client: Client) -> list[Version]:
    """Every build that the server knows, the newest first. Raises SettingsError when there is none."""
    request = DescribeWorkerDeploymentRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT
    )
    try:
        answer = await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        raise _refused(error, "") from error
    prefix = "WORKER_DEPLOYMENT_VERSION_STATUS_"
    found = []
    newest_first = sorted(
        answer.worker_deployment_info.version_summaries,
        key=lambda one: one.create_time.ToNanoseconds(),
        reverse=True,
    )
    for one in newest_first:
        build_id = one.deployment_version.build_id
        status = WorkerDeploymentVersionStatus.Name(one.status)
        running = await client.count_workflows(
            f'TemporalWorkerDeploymentVersion = "{DEPLOYMENT}:{build_id}" '
            'AND ExecutionStatus = "Running"'
        )
        found.append(
            Version(
                build_id=build_id,
                status=status.removeprefix(prefix).lower(),
                running_calls=running.count,
                status_checked_at=_time(one.drainage_info.last_checked_time),
            )
        )
    return found


def _time(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(tzinfo=UTC).astimezone() if stamp.seconds else None


def _refused(error: RPCError, build_id: str) -> SettingsError:
    """The server's answer in an operator's words, with the remedy."""
    start = f"start a worker with {BUILD_ID} set to it"
    match error.status:
        case RPCStatusCode.NOT_FOUND if build_id:
            return SettingsError(
                f"no worker of build {build_id!r} has asked for calls yet: {start}; "
                "`callspine worker versions` lists the builds that have"
            )
        case RPCStatusCode.NOT_FOUND:
            return SettingsError(
                f"no versioned worker has asked for calls yet: start one with {BUILD_ID} set"
            )
        case RPCStatusCode.FAILED_PRECONDITION:
            return SettingsError(
                f"build {build_id!r} cannot take the calls: {error.message}. "
                f"Is its worker running? If not, {start}"
            )
        case RPCStatusCode.UNIMPLEMENTED:
            return SettingsError(
                "this Temporal server has no worker deployments: it must be 1.29 or newer; "
                f"until then leave {BUILD_ID} empty"
            )
        case _:
            return SettingsError(f"Temporal refused ({error.status.name}): {error.message}")
