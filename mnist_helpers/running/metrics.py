"""``metrics.csv``: the losses of a run as a table."""

import csv
import time
from contextlib import contextmanager, suppress

from ..training import History
from .run_folder import replaced

COLUMNS = (
    *("epoch", "step", "images_seen", "train_loss"),
    *("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
    "seconds",
)


class LoggedHistory(History):
    """A History that also writes ``metrics.csv``: a row for each logged batch and each evaluation.

    Losses are in nats, accuracies run from 0 to 1, ``seconds`` counts training time since the start of the
    run, without any between a stop and its resume. What was not measured is left empty. About ten times an
    epoch, ``say`` is called with a line.
    """

    def __init__(self, path, loaders, log_interval: int, say=print) -> None:
        super().__init__()
        self.path, self.log_interval, self.say = path, log_interval, say
        self.batches, self.images = len(loaders.train), len(loaders.train.dataset)
        self.evaluated_on = "test" if loaders.validation is None else "validation"
        self.started = time.monotonic()
        self.noted = {}  # the seconds of the rows so far, also of those that wait
        self.refused = set()  # the files that could not be written
        self.tested = None  # loss and accuracy on the test set

    def add_batch(self, loss, count):
        """Record a batch, and write every ``log_interval``-th of an epoch."""
        index = len(self.train_losses)
        epoch, batch = divmod(index, self.batches)
        super().add_batch(loss, count)
        if batch % self.log_interval == 0:
            self.append(self.batch_row(index))
        if batch % max(self.batches // 10, 1) == 0:
            self.say(f"epoch {epoch + 1}, batch {batch} of {self.batches}: training loss {loss:.4f}")

    def add_evaluation(self, loss, accuracy):
        """Record and write an evaluation."""
        super().add_evaluation(loss, accuracy)
        self.append(self.evaluation_row(len(self.test_losses) - 1, self.evaluated_on, loss, accuracy))

    def add_test(self, loss, accuracy):
        """Write the result on the test set, which a run with a validation split opens once, at its end."""
        self.tested = loss, accuracy
        self.append(self.evaluation_row(len(self.test_losses) - 1, "test", loss, accuracy))

    def batch_row(self, index: int) -> dict:
        """Return the row of a batch; ``epoch`` is the one being trained."""
        seen, loss = self.train_seen[index], self.train_losses[index]
        return {
            "epoch": seen // self.images + 1,
            "step": index,
            "images_seen": seen,
            "train_loss": f"{loss:.6f}",
        }

    def evaluation_row(self, epoch: int, name: str, loss: float, accuracy: float) -> dict:
        """Return the row of an evaluation; ``epoch`` counts the complete ones."""
        place = {"epoch": epoch, "step": epoch * self.batches, "images_seen": self.test_seen[epoch]}
        return place | {f"{name}_loss": f"{loss:.6f}", f"{name}_accuracy": f"{accuracy:.6f}"}

    def seconds(self) -> float:
        """Return the seconds of training so far."""
        return time.monotonic() - self.started

    def append(self, row: dict) -> None:
        """Write a row at once, so that it is in the file when the next batch begins."""
        row["seconds"] = self.noted[key_of(row)] = f"{self.seconds():.3f}"
        with self.no_reason_to_stop(self.path):
            with open(self.path, "a", encoding="utf-8", newline="") as file:  # refused at once, if at all
                if self.path not in self.refused:
                    csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n").writerow(row)
            if self.path in self.refused:
                self.rewrite()  # with the rows that have waited
                self.refused.remove(self.path)

    @contextmanager
    def no_reason_to_stop(self, path):
        """Go on where a file cannot be written, as on Windows one that Excel has open; say so once."""
        try:
            yield
        except OSError as error:
            if path not in self.refused:
                reason = error.strerror or error
                print(f"note: {path} cannot be written ({reason}); close it elsewhere. The run goes on")
            self.refused.add(path)

    def begin(self) -> None:
        """Bring the file into agreement with what is recorded, and go on counting its seconds."""
        self.noted = seconds_by_row(self.path)
        rows = self.rows()
        self.started = time.monotonic() - (float(rows[-1]["seconds"] or 0) if rows else 0)
        with self.no_reason_to_stop(self.path):
            self.rewrite()

    def rows(self) -> list[dict]:
        """Return the rows of all that is recorded."""
        batches = range(len(self.train_losses))
        rows = [self.batch_row(index) for index in batches if index % self.batches % self.log_interval == 0]
        for epoch, measured in enumerate(zip(self.test_losses, self.test_accuracies, strict=True)):
            rows.append(self.evaluation_row(epoch, self.evaluated_on, *measured))
        rows.sort(key=lambda row: (row["images_seen"], "train_loss" in row))
        if self.tested:
            rows.append(self.evaluation_row(len(self.test_losses) - 1, "test", *self.tested))
        for row in rows:
            row["seconds"] = self.noted.get(key_of(row), "")
        return rows

    def rewrite(self) -> None:
        """Write the whole file anew, or leave it as it is."""
        with replaced(self.path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows())


def key_of(row: dict) -> tuple:
    """Return by what a row is known: its step, and which loss it holds."""
    return str(row["step"]), *(bool(row.get(f"{kind}_loss")) for kind in ("train", "test"))


def seconds_by_row(path) -> dict:
    """Return the seconds in an earlier file by ``key_of`` its rows, as far as it can be read."""
    seconds = {}
    with suppress(OSError, UnicodeError, csv.Error), open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            with suppress(TypeError, ValueError):
                seconds[key_of(row)] = f"{float(row.get('seconds')):.3f}"
    return seconds
