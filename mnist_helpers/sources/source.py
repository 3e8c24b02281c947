"""What a source of MNIST is, and the progress bar that the sources share.

A source has a ``name`` and a method ``get(file, scratch) -> Path`` that leaves the unpacked file, not yet
verified, somewhere in the folder ``scratch``. It raises Refused when it cannot give this file, and
Unreachable when asking it for another would only take time.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Protocol

from .raw_files import RawFile, Refused


class Unreachable(Refused):
    """A source cannot be used at all for now; the text says why in a few words."""


class Source(Protocol):
    """Anything that can be asked for the four files."""

    name: str

    def get(self, file: RawFile, scratch: Path) -> Path: ...


class Bar:
    """What pooch takes as a progress bar: tqdm on stdout that leaves nothing behind, and a way to stop.

    ``most`` is how many bytes a source may send before it is refused.
    """

    def __init__(self, label: str, most: int) -> None:
        from tqdm import tqdm

        self.most = most
        self.received = 0
        self.begun = False  # has an answer come?
        self._stopped = threading.Event()
        self._tqdm = tqdm(
            total=None,
            desc=label,
            unit="B",
            unit_scale=True,
            file=sys.stdout,
            leave=False,
            disable=_hide_bars(),
        )

    @property
    def total(self) -> int | None:
        return self._tqdm.total

    @total.setter
    def total(self, size: int) -> None:
        self.begun = True
        self._tqdm.total = size or None  # pooch says 0 where the server did not say

    def update(self, received: int) -> None:
        """Count bytes; raise Refused to end the download when there are too many, or after ``stop``."""
        if self._stopped.is_set():
            raise Unreachable("given up")
        self.received += received
        if self.received > self.most:
            raise Refused("much longer than the file should be")
        self._tqdm.update(received)

    def reset(self) -> None:
        """Begin again at 0, as pooch does to fill the bar at the end."""
        self.received = 0
        self._tqdm.reset()

    def close(self) -> None:
        """Clear the bar."""
        self._tqdm.close()

    def stop(self) -> None:
        """Clear the bar and end the download at its next bytes."""
        self._stopped.set()
        self.close()


def _hide_bars() -> bool:
    # tqdm itself looks at TQDM_DISABLE only where `disable` is not passed.
    if os.environ.get("TQDM_DISABLE", "") not in ("", "0"):
        return True
    in_notebook = type(sys.stdout).__module__.startswith("ipykernel")
    return not (in_notebook or sys.stdout.isatty())
