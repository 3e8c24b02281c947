"""The first sources of MNIST: folders on the web that hold the four files as ``.gz``."""

import errno
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .raw_files import RawFile, Refused, unpack
from .source import Bar, Unreachable

CVDF = "https://storage.googleapis.com/cvdf-datasets/mnist/"

# Errors of the reader's own disk: every other source would meet them again.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def mirrors() -> list[str]:
    """Return the addresses of the mirrors: those that torchvision names, then the bucket of CVDF."""
    try:
        from torchvision.datasets import MNIST

        addresses = list(MNIST.mirrors)
    except Exception:  # a torchvision that does not import is no reason not to fetch the data
        addresses = []
    return list(dict.fromkeys([*addresses, CVDF]))


@dataclass(frozen=True)
class Mirror:
    """A folder on a web server that holds ``train-images-idx3-ubyte.gz`` and the other three.

    Times are in seconds. ``timeout`` bounds each wait on the socket, twice that the wait for an answer to
    begin. A whole file may take ``patience`` and one more second for each ``slowest`` unpacked bytes, so
    that a server that trickles is given up as well.
    """

    name: str
    timeout: float = 15.0
    patience: float = 60.0
    slowest: float = 100_000.0

    def get(self, file: RawFile, scratch: Path) -> Path:
        """Download and unpack one file."""
        print(f"MNIST: downloading {file.name}.gz from {self.name}", flush=True)
        # A folder of its own: a download that was given up may still be writing into the one before.
        packed = Path(tempfile.mkdtemp(dir=scratch)) / f"{file.name}.gz"
        try:
            self._download(packed, file)
        except Refused:
            raise
        except Exception as error:
            if type(error) in (OSError, PermissionError) and error.errno in DISK_ERRORS:
                raise
            raise explain(error, self.timeout) from None
        return unpack(packed, file, scratch)

    def _download(self, packed: Path, file: RawFile) -> None:
        # In a thread, because no setting bounds a download as a whole: `timeout` is waited for each of the
        # host's addresses in turn, and again for each handful of bytes.
        from pooch import HTTPDownloader

        url = f"{self.name.rstrip('/')}/{file.name}.gz"
        bar = Bar(file.name, most=file.size + 1_000_000)
        download = HTTPDownloader(progressbar=bar, chunk_size=1 << 14, timeout=self.timeout)
        failures = []

        def work():
            try:
                download(url, str(packed), None)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            self._wait(thread, bar, self.patience + file.size / self.slowest)
        finally:
            bar.stop()
        if failures:
            raise failures[0]

    def _wait(self, thread: threading.Thread, bar: Bar, deadline: float) -> None:
        start = time.monotonic()
        while thread.is_alive():
            thread.join(0.1)
            waited = time.monotonic() - start
            if waited > deadline or (not bar.begun and waited > 2 * self.timeout):
                raise Unreachable(f"too slow, given up after {waited:.0f} s")


def explain(error: Exception, timeout: float) -> Refused:
    """Turn what requests raises into a few words, and say whether the mirror is worth another try."""
    import requests

    text = str(error).lower()
    if isinstance(error, requests.HTTPError):
        code = error.response.status_code
        return (Unreachable if code >= 500 else Refused)(f"it answered with HTTP status {code}")
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable("its certificate was not accepted")
    if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in text:
        return Unreachable(f"no answer within {timeout:g} s")
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "reset" in text:
        return Unreachable("the connection broke off")
    if "resolve" in text or "getaddrinfo" in text:
        return Unreachable("its name is not known here (is there a network?)")
    if isinstance(error, requests.ConnectionError | OSError):
        return Unreachable("it could not be reached")
    return Unreachable(f"{type(error).__name__}: {str(error)[:100]}")
