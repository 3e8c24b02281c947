"""The checks of lesson 7, from notebook to script."""

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

from .vocabulary import call_or_none, check, compare, wrong_kind


def _parse(parser, *arguments):
    """Return the options, the status with which the parser ended the program, and what stderr got."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            return parser.parse_args(arguments), None, said.getvalue()
    except SystemExit as end:
        return None, end.code, said.getvalue()


@check(right="The parser turns text into a number, fills in what is not given, and refuses at the door.")
def with_weight_decay(function):
    """``function(parser)`` adds ``--weight-decay`` (a float, 0 if not given, never negative), returns it."""
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--lr", type=float, default=0.01)
    parser = call_or_none(function, parser)
    if parser is None:
        return "it returned None; is there a return, with the parser behind it?"
    if not isinstance(parser, argparse.ArgumentParser):
        return wrong_kind(parser, "the parser: return parser")
    options, status, _ = _parse(parser)
    if status is not None:
        return "nothing works without --weight-decay any more; give it a default and leave required away."
    if getattr(options, "lr", None) != 0.01:
        return "--lr is gone; add to the parser that came in, and return that one."
    if not hasattr(options, "weight_decay"):
        return f"after parsing there is no weight_decay in {sorted(vars(options))}; how is the option spelt?"
    if _parse(parser, "--weight-decay", "0")[1] is not None and _parse(parser, "--weight_decay", "0")[0]:
        return "--weight_decay is known and --weight-decay is not; is it spelt with dash or underscore?"
    if options.weight_decay != 0:
        return f"where it is not given, weight_decay is {options.weight_decay!r}; look at default."
    return _refuses_right_values(parser) or _accepts_wrong_values(parser) or _fails_to_help(parser)


def _refuses_right_values(parser) -> str | None:
    for text in ("0.0005", "0", "1e-4", "2.5"):
        options, status, _ = _parse(parser, "--weight-decay", text)
        if status is not None:
            return f"--weight-decay {text} is refused, and it is allowed."
        if isinstance(options.weight_decay, str):
            return f"weight_decay is the text {text!r}, not a number; look at type."
        if options.weight_decay != float(text):
            return f"--weight-decay {text} became {options.weight_decay!r}."
    return None


def _accepts_wrong_values(parser) -> str | None:
    for text in ("-0.0005", "-1", "much"):
        try:
            _, status, said = _parse(parser, f"--weight-decay={text}")
        except Exception as error:
            wanted = "raise argparse.ArgumentTypeError, which the parser turns into a line"
            return f"{text} ends in a traceback ({type(error).__name__}); {wanted}."
        if status is None:
            return f"--weight-decay={text} is accepted; let the function given as type refuse it."
        if status != 2:
            return f"{text} ends the program with {status!r}, not 2; raise an error and let the parser exit."
        if not said.strip():
            return f"{text} is refused without a word on stderr; raise an error and let the parser exit."
    return None


def _fails_to_help(parser) -> str | None:
    try:
        parser.format_help()
    except Exception as error:
        return f"--help ends in {type(error).__name__} ({error}); in a help text, %% is a percent sign."
    return None


@check(right="940 notes and 11 evaluations, some 30 kB of text, which any program can read.")
def rows_of_ten_epochs(answer):
    """How many rows ``metrics.csv`` has after ten epochs, without the line of names."""
    each = "The batches are counted through the run, but each epoch begins its notes anew, at its batch 0."
    hints = {
        952: "That counts the line of names as well.",
        950: "The evaluation before training has a row too.",
        940: "These are the rows of the training loss; what is noted after each epoch, and before the first?",
        938: each,
        948: each,
        949: each,
        930: "Batch 0 of each epoch is noted too, and there are the evaluations.",
        941: "Batch 0 of each epoch is noted too: 0, 10, 20 and so on up to 930.",
        9391: "Only every tenth batch has a row.",
    }
    hint = compare(float(answer), 951, hints, "Count the rows of one epoch first, in the table above.")
    return hint and f"{float(answer):g} is not the number. {hint}"


def _write(path, accuracies) -> None:
    """Write a ``metrics.csv`` with these test accuracies, after epochs 0, 1, ..., as ``train`` does."""
    names = "epoch,step,images_seen,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,"
    lines = [f"{names}seconds"]
    for epoch, accuracy in enumerate(accuracies):
        step, seen, seconds = 938 * epoch, 60_000 * epoch, 4.5 * epoch + 1
        lines.append(f"{epoch},{step},{seen},,,,0.200000,{accuracy:.6f},{seconds:.3f}")
        if epoch < len(accuracies) - 1:
            for note in range(3):
                at = f"{step + 10 * note},{seen + 640 * note}"
                lines.append(f"{epoch + 1},{at},0.300000,,,,,{seconds + 1:.3f}")
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())


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
                return f"{of} it returned None for {wanted:g}; is there a return, is it reached every time?"
            if result != expected:
                return f"{of} it says {result!r} for {wanted:g}; {hint}"
            if isinstance(result, float):
                return f"it returned {result!r}, and a whole number is asked for."
    return None
