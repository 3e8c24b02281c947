"""What the checks of all lessons are made of: verdicts, calls, and the values that answers consist of.

A check returns None for a right answer, and otherwise what follows "Not quite, because"::

    @check(right="Five apples and seven make a dozen.")
    def total(function):
        \"\"\"``function(apples, pears)`` adds up two counts.\"\"\"
        answer = call(function, 5, 7)
        if number(answer) is None:
            return wrong_kind(answer, "a number")
        return compare(answer, 12, {35: "that is the product."}, otherwise="count again.")
"""

import contextlib
import copy
import functools
import io
import math
import numbers

import torch

PRINTED = "it printed something and returned None; hand the answer back with return."


class NotYet(Exception):
    """The exercise still holds its stub."""


class Wrong(Exception):
    """The answer is wrong; the text is what follows "Not quite, because"."""


class Verdict(int):
    """1 for a right answer, 0 for any other. Jupyter shows nothing for it: the check has printed why."""

    def _ipython_display_(self) -> None:
        pass


def check(right: str):
    """Turn ``function(answer) -> reason or None`` into a check that prints its verdict in one line.

    ``right`` follows "Right." The function is not called while the answer is still None. The check returns
    whether the answer is right, so that a lesson goes on with a reader's own function where it passed.
    """

    def decorate(function):
        @functools.wraps(function)
        def verdict(answer=None) -> Verdict:
            try:
                if answer is None or answer is ...:
                    raise NotYet
                reason = function(answer)
            except NotYet:
                print("Not yet: replace the None by your own answer, run the cell, then this one again.")
                return Verdict(False)
            except Wrong as wrong:
                reason = str(wrong)
            except Exception as error:
                message = " ".join(str(error).split())
                reason = f"your answer led to {type(error).__name__}: {message}"
            print(f"Right. {right}" if reason is None else f"Not quite, because {reason}")
            return Verdict(reason is None)

        return verdict

    return decorate


def call(function, *arguments, unchanged: str | None = None):
    """Call a student's function and return what it returns.

    Raises NotYet for a stub, which returns None, and Wrong for a function that prints its answer instead of
    returning it. Other prints are shown; errors come through. The function gets copies of lists, dicts and
    tensors; with ``unchanged``, the sentence for a student whose function changes one, that is Wrong too.
    """
    if not callable(function):
        raise TypeError("this exercise asks for a function, written without calling it")
    given = [copy.deepcopy(a) if isinstance(a, list | dict | torch.Tensor) else a for a in arguments]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = function(*given)
    if result is None:
        raise Wrong(PRINTED) if printed.getvalue() else NotYet
    print(printed.getvalue(), end="")
    if unchanged and not all(map(_same, given, arguments)):
        raise Wrong(unchanged)
    return result


def _same(one, other) -> bool:
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def call_or_none(function, *arguments):
    """As ``call``, but return None for a function that does something and forgets to return the result."""
    try:
        return call(function, *arguments)
    except NotYet:
        code = getattr(function, "__code__", None)
        if code is None or not code.co_names:  # uses no name and no attribute, as a stub
            raise
        return None


def wrong_kind(value, asked: str) -> str:
    """Return what to say where a function returned something of the wrong kind."""
    return f"it returned {type(value).__name__}; the exercise asks for {asked}."


def number(value) -> float | None:
    """Return ``value`` as a float if it is a number, or a tensor or array of one number; else None."""
    if hasattr(value, "item") and getattr(value, "size", None) is not None:
        try:
            value = value.item()
        except (RuntimeError, ValueError):  # it holds several
            return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
        return None
    return float(value)


def pair(value, asked: str) -> tuple:
    """Return the two parts of a pair, or raise Wrong with what is ``asked`` for."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Wrong(asked)
    return tuple(value)


def pair_of_numbers(value, asked: str) -> tuple[float, float]:
    """Return two floats, or raise Wrong."""
    parts = tuple(number(part) for part in pair(value, asked))
    if None in parts:
        raise Wrong("each of the two should be a number, and one of them is something else.")
    return parts


def tensor(value) -> torch.Tensor:
    """Return a number, a tensor, an array or nested lists as a float64 tensor on the CPU."""
    return torch.as_tensor(value).detach().cpu().double()


def near(value, other, within: float = 1e-6) -> bool:
    """Whether two numbers, or two tensors of one shape, are the same but for rounding."""
    value, other = tensor(value), tensor(other)
    return value.shape == other.shape and torch.allclose(value, other, rtol=1e-6, atol=within)


def compare(value, right, hints: dict, otherwise: str, within: float = 1e-6) -> str | None:
    """Return None if ``value`` is near ``right``, else the hint of the known wrong answer that it is near.

    The answers are numbers or tensors; ``otherwise`` is said of one that nobody foresaw.
    """
    if near(value, right, within):
        return None
    return next((hint for wrong, hint in hints.items() if near(value, wrong, within)), otherwise)
