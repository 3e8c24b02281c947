"""What the checks of all lessons are made of: verdicts, calls, and the values that answers consist of.

A check is a function that returns None for a right answer, and otherwise what follows "Not quite, because"::

    @check(right="Five apples and seven make a dozen.")
    def total(function):
        \"\"\"``function(apples, pears)`` adds up two counts.\"\"\"
        answer = number(call(function, 5, 7))
        if answer is None:
            return "a number is asked for."
        return None if answer == 12 else known(answer, {35: "that is the product."}, "count again.")
"""

import contextlib
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


def check(right: str):
    """Turn ``function(*answers) -> reason or None`` into a check that prints its verdict.

    ``right`` is printed behind "Right." The function is not called while an answer is None.
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
                return
            except Wrong as wrong:
                reason = str(wrong)
            except Exception as error:
                reason = f"your answer led to {type(error).__name__}: {error}"
            print(f"Right. {right}" if reason is None else f"Not quite, because {reason}")

        return verdict

    return decorate


def call(function, *arguments):
    """Call a student's function and return what it returns.

    Raises NotYet for a stub, which returns None, and Wrong for one that prints its answer instead of
    returning it. What else it prints is shown. Its own errors come through.
    """
    if not callable(function):
        raise TypeError("this exercise asks for a function, written without calling it")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = function(*arguments)
    if result is None:
        raise Wrong(PRINTED) if printed.getvalue() else NotYet
    print(printed.getvalue(), end="")
    return result


def call_or_none(function, *arguments):
    """As ``call``, but return None for a function that does something and forgets to return the result."""
    try:
        return call(function, *arguments)
    except NotYet:
        code = getattr(function, "__code__", None)
        if code is None or not code.co_names:  # uses no name and no attribute, as a stub
            raise
        return None


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
    parts = [number(part) for part in pair(value, asked)]
    if None in parts:
        raise Wrong("each of the two should be a number, and one of them is something else.")
    return tuple(parts)


def tensor(value) -> torch.Tensor:
    """Return a tensor, an array or nested lists as a float64 tensor on the CPU."""
    return torch.as_tensor(value).detach().cpu().double()


def near(value, other, within: float = 1e-4) -> bool:
    """Whether two numbers, or two tensors everywhere, differ by less than ``within``."""
    return bool((torch.as_tensor(value) - torch.as_tensor(other)).abs().max() < within)


def known(value, hints: dict, otherwise: str) -> str:
    """Return the hint of a wrong answer that is known, a number, or ``otherwise``."""
    for wrong, hint in hints.items():
        if math.isclose(value, wrong, rel_tol=1e-6, abs_tol=1e-9):
            return hint
    return otherwise
