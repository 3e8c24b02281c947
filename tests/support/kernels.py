"""A kernel of Jupyter's in which a test runs cells as a reader does: in any order, twice, interrupted."""

import os
import re
import subprocess
from dataclasses import dataclass, field

from jupyter_client.manager import start_new_kernel

from tests.conftest import ROOT

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of IPython's tracebacks


@dataclass
class Ran:
    """What came of a cell; ``error`` is the last line of what IPython shows, "" if all went well."""

    printed: str = ""
    pictures: list = field(default_factory=list)
    error: str = ""


class Kernel:
    """A kernel in a folder of its own, in which a reader runs the cells of a lesson as they please."""

    def __init__(self, folder, **environment):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", cwd=str(folder), env=environment, stderr=subprocess.DEVNULL
        )

    def run(self, source, *, interrupt_at=None) -> Ran:
        """Run a cell; send it Ctrl-C as soon as it has printed ``interrupt_at``."""
        ran, waiting = Ran(), [interrupt_at] if interrupt_at else []

        def note(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                ran.printed += content["text"]
            elif message["msg_type"] == "error":
                ran.error = COLOUR.sub("", content["traceback"][-1]).strip().splitlines()[-1]
            elif picture := content.get("data", {}).get("image/png"):
                ran.pictures.append(picture)
            if waiting and waiting[0] in ran.printed:
                waiting.clear()
                self.manager.interrupt_kernel()

        self.client.execute_interactive(source, output_hook=note, timeout=900)
        return ran

    def restart(self):
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=300)

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
