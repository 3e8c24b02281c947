"""The three verdicts of a check, and how a check comes to one of them."""

import contextlib
import functools
import io


class NotYet(Exception):
    """The exercise still holds its stub."""


def check(right: str):
    """Turn ``function(*answers) -> reason or None`` into a check that prints its verdict.

    ``right`` is what is printed behind *Right.* The function returns None when the answer is right and
    otherwise a sentence that ends "Not quite, because ..."; it is not called while an answer is None.
    """

    def decorate(function):
        @functools.wraps(function)
        def verdict(*answers) -> None:
            try:
                if not answers or any(answer is None or answer is ... for answer in answers):
                    raise NotYet
                reason = function(*answers)
            except NotYet:
                print("Not yet: replace the None by your own answer, run the cell, then this one again.")
            except Exception as error:
                print(f"Not quite, because your answer led to {type(error).__name__}: {error}")
            else:
                print(f"Right. {right}" if reason is None else f"Not quite, because {reason}")

        return verdict

    return decorate


def call(function, *arguments):
    """Call a student's function. A stub returns None, which is *Not yet*; its own errors come through."""
    if not callable(function):
        raise TypeError("this exercise asks for a function, written without calling it")
    result = function(*arguments)
    if result is None:
        raise NotYet
    return result


def quietly(function, *arguments):
    """Return (result, reason): as ``call``, for a function whose printing must not mix with the verdict."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return call(function, *arguments), None
    except NotYet:
        if not printed.getvalue():
            raise
    return None, "it printed something and returned None; hand the answer back with return."
