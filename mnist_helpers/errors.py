"""Errors whose text is written for the reader."""


class ReaderError(RuntimeError):
    """Its text says what happened, where and what to do; the command line prints it without a traceback."""

    def _render_traceback_(self):
        """Return the lines that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class TrainingError(ReaderError):
    """Training cannot go on; the text says where it stopped and what to try."""


class LostProcess(TrainingError):
    """Another process of the same training has ended, and this one cannot go on without it.

    ``path`` is the checkpoint's, if training had begun.
    """

    def __init__(self, path=None) -> None:
        rest = f"; {path} holds the run as it was last saved: go on with --resume" if path else ""
        super().__init__(f"another process of this run has ended{rest}")
        self.path = path


class CheckpointError(ReaderError):
    """A checkpoint cannot be written, read or used; the text says which file, why and what to do."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the error's type if it has no text."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def first_cause(error: BaseException) -> BaseException:
    """Return the operating system's error behind one of torch's, or the first error in the chain."""
    while error.__context__ is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
