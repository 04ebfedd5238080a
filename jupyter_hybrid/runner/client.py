"""papermill's notebook client, adopted to our kernel and telling everything as it happens."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, Optional, Tuple

import zmq
from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, DeadKernelError
from nbclient.util import ensure_async
from papermill.clientwrap import PapermillNotebookClient

from ..events import Kind
from .connect import connect_client
from .emit import DiskFull
from .endings import Ending
from .journal import STREAMS, Arrived
from .outputs import OUTPUTS, node, pages, quick_output, refuse_input, stream_message
from .session import CellTimes, Session
from .streams import StreamTail
from .widgets import VIEW, ProgressWidgets, static_form

#: Seconds between two looks whether the kernel lives, and how long its last words are awaited.
ALIVE_INTERVAL, LAST_WORDS = 0.1, 0.1
#: Seconds of silence after a cell's reply in which its outputs are awaited. A flood takes long.
IOPUB_TIMEOUT = 3600
#: What tasks and threads may say after their cell's end.
LATE = ("stream", "display_data")


class HybridClient(PapermillNotebookClient):
    """Executes the cells one by one; outputs become events the moment they arrive."""

    session: Session

    def __init__(self, nb_man: Any, session: Session, **options: Any) -> None:
        super().__init__(nb_man, raise_on_iopub_timeout=False, **options)  # type: ignore[no-untyped-call]
        self.session = session
        self.iopub_timeout = IOPUB_TIMEOUT
        self._tail = StreamTail()
        self._times = CellTimes()
        self._widgets = ProgressWidgets(
            lambda: self.widget_state, self._on_progress, session.call_later
        )
        self._heard = 0.0
        self._arrived: Dict[str, Arrived] = {}
        self._cell_id = ""
        self._number = self._total = 0
        #: Each execution's cell, and its place in the notebook.
        self._asked: Dict[str, Tuple[Any, int]] = {}
        self.on_cell_executed = self._show_pages

    def execute(self, **kwargs: Any) -> Any:
        """Execute the notebook; raises ``Ending`` where something other than a cell ends it."""
        self.reset_execution_trackers()
        loop = self.session.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        task = loop.create_task(self._drive())
        self.session.cancel_drive = task.cancel
        try:
            self.session.check()
            loop.run_until_complete(task)
        except (asyncio.CancelledError, DeadKernelError):
            self.session.check()
            raise Ending(self.session.why_kernel_died()) from None
        finally:
            self._settle()
        return self.nb

    async def _drive(self) -> None:
        info = await connect_client(self, self.session)
        language = info.get("language_info") or {}
        self.nb.metadata["language_info"] = language
        cells = [cell for cell in self.nb.cells if self._is_executed(cell)]
        self._total = len(cells)
        self.session.emitter.emit(
            Kind.KERNEL, name=self.kernel_name, language=language.get("name"), total=self._total
        )
        for index, cell in enumerate(self.nb.cells):
            self.session.check()
            if not await self._one_cell(cell, index):
                break
        self.session.check()
        self.set_widgets_metadata()

    def _is_executed(self, cell: Any) -> bool:
        return (
            cell.cell_type == "code"
            and bool(cell.source.strip())
            and self.skip_cells_with_tag not in cell.metadata.get("tags", [])
        )

    async def _one_cell(self, cell: Any, index: int) -> bool:
        """Execute one cell as papermill does; False where the notebook ends here."""
        executed = self._is_executed(cell)
        self.nb_man.cell_start(cell, index)
        status = "stopped"
        if executed:
            self._begin(cell)
        try:
            await self.async_execute_cell(cell, index)
            status = "ok"
        except CellExecutionError as error:
            # an interrupt that was ours is no error of the cell's
            self.session.check()
            self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
            exits = error.ename == "SystemExit" and error.evalue in ("", "0")
            status = "ok" if exits else "error"
            self.session.failed_cell = None if exits else cell.id
            self.session.failed_with = error.ename, error.evalue
            return False
        except DeadKernelError:
            self._last_words(cell, index)
            raise
        finally:
            self._settle()
            if status == "stopped":
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index)
            self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
            if executed:
                self._end(cell, status)
        return True

    def _begin(self, cell: Any) -> None:
        self._number += 1
        self._cell_id = cell.id
        self._arrived = {name: Arrived() for name in STREAMS}
        if self.session.control.journal is not None:
            self.session.control.journal.begin_cell()
        self._times.begin(cell.id)
        lines = [line for line in cell.source.splitlines() if line.strip()]
        # that every remote cell begins with it says nothing
        line = next((line for line in lines if not line.startswith("# %%remote")), lines[0])
        extra = {} if cell.id in self.session.sent_ids else {"source": cell.source}
        self.session.emitter.emit(
            Kind.CELL,
            cell_id=cell.id,
            number=self._number,
            total=self._total,
            line=line.strip()[:200],
            **extra,
        )

    def _end(self, cell: Any, status: str) -> None:
        self.session.emitter.emit(
            Kind.CELL_END,
            cell_id=cell.id,
            status=status,
            seconds=self._times.seconds(cell.id),
            execution_count=cell.get("execution_count"),
        )

    def _last_words(self, cell: Any, index: int) -> None:
        """What the dead kernel printed and could not send is shown as well."""
        journal, kernel = self.session.control.journal, self.session.kernel
        if journal is None or kernel is None:
            return
        if self.session.stopping is not None:
            # it did not heed the interrupt: it stands still, or is in the middle of a long call
            kernel.kill()
        for name, text in journal.lost(self._arrived):
            content = {"name": name, "text": text}
            self.process_message(stream_message(content), cell, index)

    def _settle(self) -> None:
        """Everything the kernel has said so far is in the notebook and in the events."""
        self._tail.end()
        self._widgets.settle()
        self.session.streams.flush()

    async def _async_poll_kernel_alive(self) -> None:
        manager: Any = self.km
        while await ensure_async(manager.is_alive()):
            await asyncio.sleep(ALIVE_INTERVAL)
        # what the kernel said just before may still be on its way
        self._heard = time.monotonic()
        while (silence := time.monotonic() - self._heard) < LAST_WORDS:
            await asyncio.sleep(LAST_WORDS - silence)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """Take what the cell says until it has ended, and what is left of earlier ones says."""
        self._asked[parent_msg_id] = cell, cell_index
        channel: Any = self.kc.iopub_channel  # type: ignore[union-attr]
        while True:
            msg = await ensure_async(channel.get_msg(timeout=None))
            asked = msg["parent_header"].get("msg_id")
            try:
                if asked == parent_msg_id:
                    self.process_message(msg, cell, cell_index)
                elif asked in self._asked and msg["msg_type"] in LATE:
                    self._of_earlier(msg, *self._asked[asked])
            except CellExecutionComplete:
                return

    def _of_earlier(self, msg: Dict[str, Any], cell: Any, cell_index: int) -> None:
        """What a task says after its cell's end stands with that cell, as in JupyterLab."""
        self._tail.end()
        waits, self.clear_before_next_output = self.clear_before_next_output, False
        self.process_message(msg, cell, cell_index)
        self.clear_before_next_output = waits
        self._tail.end()

    def _show_pages(self, cell: Any, cell_index: int, execute_reply: Dict[str, Any]) -> None:
        """What a terminal would show in a pager (``len?``) is an output, as in JupyterLab."""
        for message in pages(execute_reply):
            self.process_message(message, cell, cell_index)

    def process_message(self, msg: Dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Put one message of the kernel into the notebook and the events."""
        self._heard = time.monotonic()
        try:
            return self._process(msg, cell, cell_index)
        except DiskFull:
            self.session.stop_for_space()
            return None

    def _process(self, msg: Dict[str, Any], cell: Any, cell_index: int) -> Any:
        kind, content = msg["msg_type"], msg["content"]
        hooked = bool(self.output_hook_stack[msg["parent_header"].get("msg_id")])
        if kind == "stream":
            self._on_stream(cell, cell_index, content, hooked, msg)
            return None
        if kind == "error" and content.get("ename") == "StdinNotImplementedError":
            refuse_input(content)
        if kind in ("clear_output", "update_display_data"):
            self.session.streams.flush()
            self._tail.end()
        output = NotebookClient.process_message(self, msg, cell, cell_index)
        if hooked:
            self._look_again()
        if kind == "clear_output" and not hooked:
            self.session.emitter.emit(Kind.CLEAR, cell_id=cell.id, wait=bool(content.get("wait")))
        elif kind == "update_display_data":
            self._on_update(content)
        elif kind == "comm_close":
            self._widgets.closed(content.get("comm_id", ""))
        elif kind.startswith("comm_"):
            self._widgets.changed(content.get("comm_id", ""))
        elif output is not None or (hooked and kind in OUTPUTS):
            self._on_output(cell, output, msg)
        return output

    def _on_stream(
        self, cell: Any, cell_index: int, content: Dict[str, Any], hooked: bool, msg: Dict[str, Any]
    ) -> None:
        name, text = content["name"], content["text"]
        if name in self._arrived:
            self._arrived[name].add(text)
        if hooked:
            NotebookClient.process_message(self, msg, cell, cell_index)
            self._look_again()
        else:
            if self.clear_before_next_output:
                self._tail.end()
                cell.outputs[:] = []
                self.clear_display_id_mapping(cell_index)
                self.clear_before_next_output = False
            if not self._tail.add(cell.outputs, name, text):
                output = node(output_type="stream", name=name, text=text)
                cell.outputs.append(output)
                self._tail.begin(output)
        self.session.streams.add(cell.id, name, text)

    def _look_again(self) -> None:
        """Hear of a reply that arrived while an output widget told the kernel what it shows.

        jupyter_client sends beside the asyncio socket, and ZeroMQ tells of an arrival only once.
        """
        self.kc.shell_channel.socket.get(zmq.EVENTS)  # type: ignore[union-attr]

    def _on_output(self, cell: Any, output: Optional[Any], msg: Dict[str, Any]) -> None:
        self._tail.end()
        self.session.streams.flush()
        shown = dict(quick_output(msg) if output is None else output)
        display_id = (msg["content"].get("transient") or {}).get("display_id")
        if VIEW in shown.get("data", {}):
            by_widget = self._widgets.show(output, display_id) if output is not None else None
            if by_widget is not None:
                display_id = by_widget
                model_id = shown["data"][VIEW]["model_id"]
                shown["data"] = static_form(self.widget_state, model_id)
            else:
                # who reads the events has no model that the view could show
                shown["data"] = {k: v for k, v in shown["data"].items() if k != VIEW}
        if display_id:
            shown["transient"] = {"display_id": display_id}
        self.session.emitter.emit_output(cell.id, shown)

    def _on_update(self, content: Dict[str, Any]) -> None:
        display_id = (content.get("transient") or {}).get("display_id")
        if display_id:
            data = {"data": content["data"], "metadata": content.get("metadata") or {}}
            self.session.emitter.emit_update(self._cell_id, display_id, data)

    def _on_progress(self, display_id: str, data: Dict[str, Any]) -> None:
        self.session.streams.flush()
        self.session.emitter.emit_update(self._cell_id, display_id, {"data": data, "metadata": {}})
