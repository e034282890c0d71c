"""The talk to a forked kernel begins as soon as it answers."""

from __future__ import annotations

import time
from queue import Empty

from jupyter_client.asynchronous import AsyncKernelClient

USUAL = "jupyter_client.asynchronous.AsyncKernelClient"
ANSWER, ECHO = 1.0, 0.2  # seconds for an answer, and for its echo on the channel of outputs


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
