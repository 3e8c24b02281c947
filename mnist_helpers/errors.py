"""The kind of error whose text is written for the reader."""


class ReaderError(RuntimeError):
    """Its text says what happened, where and what to do; the command line prints it without a traceback."""

    def _render_traceback_(self):
        """Return the lines that IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class TrainingError(ReaderError):
    """A training cannot go on; the text says where it stopped and what to try."""


class CheckpointError(ReaderError):
    """A checkpoint cannot be written, read or used; the text says which file, why and what to do."""
