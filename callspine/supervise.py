"""`callspine call supervise`: which one order is meant, and who carried it out."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated

import typer

from callspine.call_errors import about_call
from callspine.connect import connect
from callspine.settings import Settings, SettingsError, load_settings
from callspine.telephone import e164
from workflows import policies
from workflows.call import CallWorkflow
from workflows.contracts.payloads import SuperviseAnswer, SuperviseRequest, call_workflow_id
from workflows.script.events import Order

_CARRIED_OUT = {
    "gateway": "the gateway carries it out: the agent says it now",
    "carrier": "no gateway was there: the carrier carried it out",
    "next stream": "no gateway was there: whoever carries the audio next begins with it",
}


def supervise(
    call_id: Annotated[str, typer.Argument(help="A running call.")],
    force_stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Go on at this stage of the script.")
    ] = None,
    transfer: Annotated[
        bool, typer.Option("--transfer", help="Connect to the script's people, or to --to.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="With --transfer: connect to this number.")
    ] = None,
    take_over: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Connect to you, at this number.")
    ] = None,
    hang_up: Annotated[bool, typer.Option("--hang-up", help="Say goodbye and hang up.")] = False,
    by: Annotated[
        str, typer.Option(metavar="WHO", envvar="USER", help="Your user id; stays on record.")
    ] = "",
) -> None:
    """Take a running call in hand: one order. It counts whatever the script says, and marks the call for review."""
    if to is not None and not transfer:
        raise SettingsError("--to says where to transfer to: give --transfer, too")
    orders = []
    if force_stage is not None:
        orders.append(SuperviseRequest(order=Order.FORCE_STAGE, stage=force_stage, by=by))
    if transfer:
        orders.append(SuperviseRequest(order=Order.TRANSFER, number=e164(to) if to else "", by=by))
    if take_over is not None:
        orders.append(SuperviseRequest(order=Order.TAKE_OVER, number=e164(take_over), by=by))
    if hang_up:
        orders.append(SuperviseRequest(order=Order.HANG_UP, by=by))
    if len(orders) != 1:
        raise SettingsError(
            "give exactly one of --force-stage STAGE, --transfer, --take-over NUMBER, --hang-up"
        )
    answer = asyncio.run(give_order(load_settings(), call_id, orders[0]))
    if answer.by not in _CARRIED_OUT:
        typer.echo(f"nobody carried it out: {answer.reason or 'no reason was given'}", err=True)
        raise typer.Exit(1)
    typer.echo(_CARRIED_OUT[answer.by])


async def give_order(
    settings: Settings, call_id: str, request: SuperviseRequest
) -> SuperviseAnswer:
    """Who carried it out, or why nobody did. Raises SettingsError when it is refused, or nobody answers in time."""
    client = await connect(settings)
    handle = client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))
    async with (
        about_call(client, call_id),
        asyncio.timeout(policies.SUPERVISOR_WAITS.total_seconds()),
    ):
        # With an id of its own: the client sends it again when an answer is lost, and it still counts once.
        return await handle.execute_update(
            CallWorkflow.supervise,
            request,
            id=f"supervise-{uuid.uuid4().hex}",
            rpc_timeout=policies.SUPERVISOR_WAITS,
        )
