"""The checks of lesson 7, from notebook to script."""

import argparse
import contextlib
import csv
import io
import tempfile
from pathlib import Path

from .vocabulary import call_or_none, check


def _parse(parser, *arguments):
    """Return (options, None), or (None, the status with which ``parser`` ends the program)."""
    options, status, _ = _parse_and_listen(parser, *arguments)
    return options, status


def _parse_and_listen(parser, *arguments):
    """Return options, status (one of the two is None), and what was said on stderr."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            return parser.parse_args(arguments), None, said.getvalue()
    except SystemExit as end:
        return None, end.code, said.getvalue()


def _new_parser():
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--lr", type=float, default=0.01)
    return parser


@check(right="The parser turns text into a number, fills in what is not given, and refuses at the door.")
def with_weight_decay(function):
    """``function(parser)`` adds ``--weight-decay`` (a float, 0 if not given, never negative), returns it."""
    parser = call_or_none(function, _new_parser())
    if parser is None:
        return "it returned None; is there a return, with the parser behind it?"
    if not isinstance(parser, argparse.ArgumentParser):
        return f"it returned {type(parser).__name__}, where the parser is asked for: return parser."
    options, status = _parse(parser)
    if status is not None:
        return "nothing works without --weight-decay any more; give it a default and leave required away."
    if getattr(options, "lr", None) != 0.01:
        return "--lr is gone; add to the parser that came in, and return that one."
    if not hasattr(options, "weight_decay"):
        return f"after parsing there is no weight_decay in {sorted(vars(options))}; how is the option spelt?"
    if _parse(parser, "--weight-decay", "0")[1] is not None and _parse(parser, "--weight_decay", "0")[0]:
        return (
            "--weight_decay is known and --weight-decay is not; how is the option spelt, dash or underscore?"
        )
    if options.weight_decay != 0:
        return f"where it is not given, weight_decay is {options.weight_decay!r}; look at default."
    return _refused_rightly(parser)


def _refused_rightly(parser):
    for text in ("0.0005", "0", "1e-4", "2.5"):
        options, status = _parse(parser, "--weight-decay", text)
        if status is not None:
            return f"--weight-decay {text} is refused, and it is allowed."
        if isinstance(options.weight_decay, str):
            return f"weight_decay is the text {text!r}, not a number; look at type."
        if options.weight_decay != float(text):
            return f"--weight-decay {text} became {options.weight_decay!r}."
    for text in ("-0.0005", "-1", "much"):
        try:
            options, status, said = _parse_and_listen(parser, f"--weight-decay={text}")
        except Exception as error:
            wanted = "raise argparse.ArgumentTypeError, which the parser turns into a line"
            return f"{text} ends in a traceback ({type(error).__name__}); {wanted}."
        if status is None:
            return f"--weight-decay={text} is accepted; let the function given as type refuse it."
        if status != 2:
            return f"{text} ends the program with {status!r}, not 2; raise an error and let the parser exit."
        if not said.strip():
            return f"{text} is refused without a word on stderr; raise an error and let the parser exit."
    try:
        parser.format_help()
    except Exception as error:
        return (
            f"--help ends in {type(error).__name__} ({error}); in a help text, %% stands for a percent sign."
        )
    return None


@check(right="940 notes and 11 evaluations, some 30 kB of text, which any program can read.")
def rows_of_ten_epochs(answer):
    """How many rows ``metrics.csv`` has after ten epochs, without the line of names."""
    hints = {
        952: "that counts the line of names as well.",
        950: "the evaluation before training has a row too.",
        940: "these are the rows of the training loss; what is noted after each epoch, and before the first?",
        938: "the batches are counted through the run, but each epoch begins its notes anew, at its batch 0.",
        948: "the batches are counted through the run, but each epoch begins its notes anew, at its batch 0.",
        949: "the batches are counted through the run, but each epoch begins its notes anew, at its batch 0.",
        930: "batch 0 of each epoch is noted too, and there are the evaluations.",
        941: "batch 0 of each epoch is noted too: 0, 10, 20 and so on up to 930.",
        9391: "only every tenth batch has a row.",
    }
    number = float(answer)
    if number != 951:
        return (
            f"{number:g} is not the number. "
            + hints.get(number, "count the rows of one epoch first, in the table above.").capitalize()
        )
    return None


def _write(path, accuracies, notes=3) -> None:
    """Write a ``metrics.csv`` with these test accuracies, after epochs 0, 1, ..., as ``train`` does."""
    names = ("epoch", "step", "images_seen", "train_loss", "validation_loss", "validation_accuracy")
    names += ("test_loss", "test_accuracy", "seconds")
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        for epoch, accuracy in enumerate(accuracies):
            at = {"step": 938 * epoch, "images_seen": 60_000 * epoch, "seconds": f"{4.5 * epoch + 1:.3f}"}
            writer.writerow(
                {"epoch": epoch, **at, "test_loss": "0.200000", "test_accuracy": f"{accuracy:.6f}"}
            )
            for note in range(notes if epoch < len(accuracies) - 1 else 0):
                at = {"step": 938 * epoch + 10 * note, "images_seen": 60_000 * epoch + 640 * note}
                row = {
                    "epoch": epoch + 1,
                    **at,
                    "train_loss": "0.300000",
                    "seconds": f"{4.5 * epoch + 2:.3f}",
                }
                writer.writerow(row)


@check(right="A few lines of csv, and a run of last month answers a question that nobody had then.")
def epoch_above(function):
    """``function(path, accuracy)`` returns the first epoch after which the test accuracy was above it."""
    steady = (0.1137, 0.9375, 0.9582, 0.9688, 0.9712, 0.9760)
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
                return (
                    f"{of} it returned None for {wanted:g}; is there a return, and is it reached every time?"
                )
            if result != expected:
                return f"{of} it says {result!r} for {wanted:g}; {hint}"
            if isinstance(result, float):
                return f"it returned {result!r}, and a whole number is asked for."
    return None
