"""The checks of lesson 7, from notebook to script."""

import contextlib
import dis
import inspect
import io
import tempfile
from pathlib import Path

from .vocabulary import PRINTED, NotYet, Wrong, call_or_none, check


def _run(function, *words, accuracy=0.9):
    """Return the status of ``function(words, train)``, what ``train`` was called with, what was printed."""
    called, stdout, stderr = [], io.StringIO(), io.StringIO()

    def train(epochs, lr):
        called.append((epochs, lr))
        return accuracy

    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = function(list(words), train)
    except SystemExit as end:
        status = end.code
    return status, called, stdout.getvalue(), stderr.getvalue()


@check(right="Words become values, wrong ones are refused at the door, and the next command hears of it.")
def main(function):
    """``function(words, train)`` parses ``--epochs`` and ``--lr``, trains, and returns the exit status."""
    if not callable(function):
        raise TypeError("this exercise asks for a function, written without calling it")
    status, called, printed, _ = _run(function)
    if status is None and not called:
        raise Wrong(PRINTED) if printed else NotYet
    parts = (_wrong_calls, _wrong_status, _accepts_wrong_words, _needs_the_notebook)
    return next(filter(None, (part(function) for part in parts)), None)


def _wrong_calls(function) -> str | None:
    cases = {(): (3, 0.01), ("--epochs", "7"): (7, 0.01), ("--lr", "0.5", "--epochs", "1"): (1, 0.5)}
    for words, expected in cases.items():
        status, called, printed, complaint = _run(function, *words)
        line = f"for the words {list(words)}"
        if complaint or status == 2:
            refusal = complaint.strip().splitlines()[-1] if complaint else "without a word"
            return f"{line} it refused: {refusal}"
        if not called:
            return f"{line} it does not call train."
        if any(isinstance(value, str) for value in called[0]):
            return f"{line} it hands texts on to train{called[0]}; look at type."
        if called != [expected]:
            return f"{line} it calls train with {called[0]}, and {expected} is asked for."
        if "9" not in printed:
            return f"{line} it does not print the accuracy."
    return None


def _wrong_status(function) -> str | None:
    for accuracy, expected in [(0.9, 0), (0.1, 1), (0.5, 1)]:
        status, *_ = _run(function, accuracy=accuracy)
        if status is None:
            return "it returns None; the exit status is what sys.exit will be given."
        if isinstance(status, bool) or status != expected:
            return f"for an accuracy of {accuracy} it returns {status!r}, and the status is {expected} then."
    return None


def _accepts_wrong_words(function) -> str | None:
    wrong = ("--epochs three", "--epochs -2", "--epochs 0", "--rate 0.1", "--lr fast", "--lr -1", "--lr nan")
    for line in wrong:
        words = line.split()
        try:
            status, called, _, complaint = _run(function, *words)
        except Exception as error:
            wanted = "raise argparse.ArgumentTypeError, which the parser turns into a line"
            return f"{line} ends in a traceback ({type(error).__name__}); {wanted}."
        if called:
            return f"{line} is accepted, and train is called with {called[0]}."
        if status != 2:
            return f"{line} ends with status {status!r}, not 2; let the parser refuse."
        if not complaint.strip():
            return f"{line} is refused without a word on stderr; let the parser refuse."
    return None


def _needs_the_notebook(function) -> str | None:
    """The file gets argparse and the two types; a name from another cell would be unknown there."""
    if not inspect.isfunction(function):
        return None
    used = {step.argval for step in dis.get_instructions(function) if step.opname == "LOAD_GLOBAL"}
    missing = used & function.__globals__.keys() - {"argparse", "positive", "above_zero"}
    if missing:
        return f"its file will not know {', '.join(sorted(missing))}, which stands in another cell."
    return None


def _write(path, accuracies) -> None:
    """Write a ``metrics.csv`` with these validation accuracies, after epochs 0, 1, ..., as ``train`` does."""
    names = "epoch,step,images_seen,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,"
    lines = [f"{names}seconds"]
    for epoch, accuracy in enumerate(accuracies):
        step, seen, seconds = 938 * epoch, 60_000 * epoch, 4.5 * epoch + 1
        lines.append(f"{epoch},{step},{seen},,0.200000,{accuracy:.6f},,,{seconds:.3f}")
        if epoch < len(accuracies) - 1:
            for note in range(3):
                at = f"{step + 10 * note},{seen + 640 * note}"
                lines.append(f"{epoch + 1},{at},0.300000,,,,,{seconds + 1:.3f}")
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())


@check(right="A few lines of csv, and a run of last month answers a question that nobody had then.")
def epoch_above(function):
    """``function(path, accuracy)`` returns the first epoch whose validation accuracy was above it."""
    steady = (0.1137, 0.9375, 0.9582, 0.9688, 0.9712, 0.9760, 0.9790)
    dip = (0.0980, 0.9550, 0.9720, 0.9690, 0.9751)
    cases = [
        (steady, 0.97, 4, "is the number of the row, or of the epoch, wanted, and is epoch 0 a row too?"),
        (dip, 0.97, 2, "the accuracy fell again after it; the first time is asked for."),
        (steady, 0.95, 2, "asked for 95 %; is the accuracy that the function is given used?"),
        (steady, 0.05, 0, "even the untrained network was above that one."),
        (dip, 0.972, 4, "equal is not above, and is a number compared, or a text?"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        for accuracies, wanted, expected, hint in cases:
            _write(path, accuracies)
            result = call_or_none(function, path, wanted)
            of = f"in {', '.join(f'{accuracy:.2%}' for accuracy in accuracies)} (epochs 0, 1, ...)"
            if isinstance(result, str):
                return f"it returned the text {result!r}; csv reads all as text, and int() turns it."
            if result is None:
                return f"{of} it returned None for {wanted:g}; is there a return, is it reached every time?"
            last = max(epoch for epoch, measured in enumerate(accuracies) if measured > wanted)
            if result != expected and result == last:
                return f"{of} it says {result!r} for {wanted:g}; the first time is asked for, not the last."
            if result != expected:
                return f"{of} it says {result!r} for {wanted:g}; {hint}"
            if isinstance(result, float):
                return f"it returned {result!r}, and a whole number is asked for."
    return None
