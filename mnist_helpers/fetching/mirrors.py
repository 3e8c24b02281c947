"""Mirrors of MNIST: folders on the web that hold the four files as ``.gz``."""

import errno
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .progress import progress_bar
from .raw_files import RawFile, Refused, Unreachable, unpack
from .surroundings import to_blame

CVDF = "https://storage.googleapis.com/cvdf-datasets/mnist/"

# From the reader's own disk: every other source would fail the same way.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def mirror_addresses() -> list[str]:
    """Return the mirrors that torchvision names, then one more."""
    try:
        from torchvision.datasets import MNIST

        addresses = list(MNIST.mirrors)
    except Exception:  # a torchvision that does not import is no reason not to fetch the data
        addresses = []
    return list(dict.fromkeys([*addresses, CVDF]))


@dataclass(frozen=True)
class Mirror:
    """A folder on a web server that holds ``train-images-idx3-ubyte.gz`` and the other three.

    ``timeout`` limits each single wait for the server, in seconds. A file is given up on when it takes
    more than ``patience`` seconds beyond the time that its bytes need at ``slowest`` bytes a second.
    """

    name: str  # the address
    timeout: float = 15.0
    patience: float = 30.0
    slowest: float = 20_000.0

    def get(self, file: RawFile, scratch: Path) -> Path:
        """Download and unpack one file; return its path in ``scratch``."""
        import requests

        print(f"MNIST: downloading {file.name}.gz from {self.name}", flush=True)
        url, packed = f"{self.name.rstrip('/')}/{file.name}.gz", scratch / f"{file.name}.gz"
        received, failures = 0, []

        def stream() -> None:
            nonlocal received
            try:
                with requests.get(url, stream=True, timeout=self.timeout) as response:
                    response.raise_for_status()
                    bar.total = int(response.headers.get("Content-Length", 0)) or None
                    for chunk in response.iter_content(1 << 14):
                        received += len(chunk)
                        if received > file.size + 1_000_000:
                            raise Refused("much longer than the file should be")
                        out.write(chunk)
            except Exception as error:
                failures.append(error)

        # In a thread, because requests cannot limit a download as a whole: its timeout starts again with each
        # address of the host and each byte, those of the headers included. An abandoned thread finds `out`
        # closed and ends with its next chunk.
        thread = threading.Thread(target=stream, daemon=True)
        start = time.monotonic()
        with open(packed, "wb") as out, progress_bar(file.name) as bar:
            thread.start()
            while thread.is_alive():
                thread.join(0.1)
                bar.update(received - bar.n)
                waited = time.monotonic() - start
                if waited > self.patience + received / self.slowest:
                    raise Unreachable(f"too slow, given up after {waited:.0f} s")
        if failures:
            raise _explain(failures[0], self.timeout) from None
        return unpack(packed, file, scratch)


def _explain(error: Exception, timeout: float) -> Exception:
    """Put a network error into a few words; return any other as it is."""
    import requests

    text = str(error).lower()
    if blamed := to_blame(text):
        return Unreachable(blamed)
    if isinstance(error, Refused) or (isinstance(error, OSError) and error.errno in DISK_ERRORS):
        return error
    if isinstance(error, requests.HTTPError):
        code = error.response.status_code
        return (Unreachable if code >= 500 else Refused)(f"it answered with HTTP status {code}")
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable("no secure connection to it (is its certificate accepted here?)")
    if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in text:
        return Unreachable(f"no answer within {timeout:g} s")
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "reset" in text:
        return Unreachable("the connection broke off")
    if "resolve" in text or "getaddrinfo" in text:
        return Unreachable("its name is not known here (is there a network?)")
    return Unreachable(f"it could not be reached ({type(error).__name__})")
