"""What a file system refuses: a name that is taken for a moment, and locks that there are none of."""

import errno
import os
import time

NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}  # a home on NFS, some network drives


def replace(source, target, patience: float = 1.0) -> None:
    """Move a file over another, as ``os.replace``; try again for ``patience`` seconds where it is refused.

    On Windows a virus scanner or OneDrive holds a new file for a moment. Raises OSError as ``os.replace``.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def has_locks(path) -> bool:
    """Whether a file can be locked at ``path``, which is made. filelock takes a refusal for a held lock."""
    try:
        import fcntl
    except ImportError:  # Windows locks files in another way, on its network drives too
        return True
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in NO_LOCKS
    return True
