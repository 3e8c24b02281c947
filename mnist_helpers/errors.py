"""The kind of error whose text is written for the reader."""


class ReaderError(RuntimeError):
    """Its text says what happened, where and what to do; the command line prints it without a traceback."""
