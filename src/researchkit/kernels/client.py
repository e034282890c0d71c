"""Jupyter's own client and manager, but for what they wait for though there is nothing to wait for."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from inspect import unwrap
from queue import Empty

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

USUAL = "jupyter_client.asynchronous.AsyncKernelClient"
ANSWER, ECHO = 1.0, 0.2  # seconds for an answer, and for its echo on the channel of outputs
DYING = 5.0  # seconds that a killed process has to go


class PromptClient(AsyncKernelClient):
    """Jupyter's own client, but for its silence of a fifth of a second before the first cell.

    It waits so long to be sure that no output of its first question is still on its way. That can be known: the
    kernel's last word on a question is that it is idle.
    """

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Until the kernel has answered and both channels are heard.

        Raises
        ------
        RuntimeError
            If it dies before, or does not answer in `timeout` seconds.
        """
        until = time.monotonic() + timeout if timeout is not None else float("inf")
        while True:
            question = self.kernel_info()
            try:
                reply = await self.shell_channel.get_msg(timeout=ANSWER)
                if reply["msg_type"] == "kernel_info_reply":
                    await self._idle_after(question)
                    self._handle_kernel_info_reply(reply)
                    return
            except Empty:  # not there yet, or the outputs are not heard yet: ask again
                pass
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > until:
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _idle_after(self, question: str) -> None:
        while True:
            told = await self.iopub_channel.get_msg(timeout=ECHO)
            ours = told["parent_header"].get("msg_id") == question
            if ours and told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                return


class PromptManager(AsyncKernelManager):
    """Jupyter's own manager, but for its pauses of a hundredth of a second, by which its tests see a state that passes.

    And a kernel that is to be killed now is not interrupted before, which it would report on the terminal.
    """

    start_kernel = unwrap(AsyncKernelManager.start_kernel)

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:  # type: ignore[override]
        """As Jupyter's own, which sees to all that is not to end at once."""
        if not now or not self.owns_kernel or not self.provisioner:
            await super().shutdown_kernel(now=now, restart=restart)
            return
        self.shutting_down = True
        self.stop_restarter()
        await self.provisioner.kill(restart=restart)
        with suppress(TimeoutError):  # a process that the system itself holds up is left to it
            await asyncio.wait_for(self.provisioner.wait(), DYING)
        await self.cleanup_resources(restart=restart)
