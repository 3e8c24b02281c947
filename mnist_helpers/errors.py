"""The kind of error whose text is written for the reader."""


class ReaderError(RuntimeError):
    """Its text says what happened, where and what to do; the command line prints it without a traceback."""

    def _render_traceback_(self):
        """Return the lines that IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class TrainingError(ReaderError):
    """A training cannot go on; the text says where it stopped and what to try."""


class LostProcess(TrainingError):
    """Another process of the same training has ended, and this one cannot go on without it.

    ``path`` is that of the checkpoint, where the training had begun.
    """

    def __init__(self, path=None) -> None:
        rest = f"; {path} holds the run up to its last saving: go on with --resume" if path else ""
        super().__init__(f"another process of this run has ended{rest}")
        self.path = path


class CheckpointError(ReaderError):
    """A checkpoint cannot be written, read or used; the text says which file, why and what to do."""
