"""Ctrl-C and SIGTERM, noted when they arrive and obeyed between two batches."""

import signal
import threading
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal, after the current batch was finished and saved.

    ``number`` is that of the signal; ``epoch`` counts the complete epochs and ``step`` the batches since.
    """

    def __init__(self, path, number: int, epoch: int, step: int) -> None:
        super().__init__(
            f"stopped (epochs complete: {epoch}, batches since: {step}); {path} holds all that is needed to "
            "go on: run the same again"
        )
        self.number, self.epoch, self.step = number, epoch, step

    def _render_traceback_(self):
        """Return the lines that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


@contextmanager
def stop_on_signal(*, together: bool = False):
    """Yield a list to which a first Ctrl-C or SIGTERM is appended; a second one stops the process at once.

    With ``together``, for one of several processes, none stops at once, because the others would wait for it
    in vain: torchrun sends its own signal after the terminal's, and kills what has not ended 30 seconds
    later.
    """
    received = []

    def note(number, frame):
        received.append(number)
        if not together:
            signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # A background job has Ctrl-C ignored, and keeps it that way; only the main thread may set handlers.
    watched = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    if threading.current_thread() is not threading.main_thread():
        watched = []
    for number in watched:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number in watched:
            signal.signal(number, before[number])
