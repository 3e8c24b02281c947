"""A training that can be stopped at any moment and goes on from its file. Lesson 7."""

import signal
import threading
from contextlib import contextmanager
from pathlib import Path

from .arguments import check_optimizer
from .checkpoints import load_checkpoint, save_checkpoint
from .distributed import (
    agreed,
    evaluate_together,
    gathered_random_states,
    lost_process_named,
    many,
    place,
    plain,
    separate_random_state,
)
from .errors import CheckpointError
from .training import History, fit


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, seen after the batch at hand was finished and saved.

    ``number`` is the signal's; ``epoch`` and ``step`` are the complete epochs and the batches since.
    """

    def __init__(self, path, number, epoch, step) -> None:
        super().__init__(
            f"stopped (epochs complete: {epoch}, batches since: {step}); {path} holds all that is needed to "
            "go on: run the same again"
        )
        self.number, self.epoch, self.step = number, epoch, step

    def _render_traceback_(self):
        """Return the lines that IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def take_up(path, network, loaders, optimizer, *, scheduler=None):
    """Return ``(epoch, step, history)`` of the checkpoint at ``path``, or ``(0, 0, History())`` without one.

    ``epoch`` counts the complete epochs, ``step`` the batches since. Network, optimizer, scheduler and random
    state are set to what they were; a learning rate that is given anew is kept, which a printed line says,
    so that a run can go on with a smaller one. Of many processes each gets a random state of its own.
    Raises CheckpointError as ``load_checkpoint`` does.
    """
    if not Path(path).exists():
        separate_random_state()
        return 0, 0, History()
    given = [group["lr"] for group in optimizer.param_groups]
    checkpoint = load_checkpoint(path, plain(network), optimizer, scheduler=scheduler, loaders=loaders)
    separate_random_state(checkpoint["random"])
    for group, rate in zip(optimizer.param_groups, given, strict=True):
        if scheduler is None and group["lr"] != rate:
            print(f"note: learning rate {group['lr']} then, {rate} now; the run goes on with {rate}")
            group["lr"] = rate
    try:
        history = History(**(checkpoint["history"] or {}))
    except TypeError:
        raise CheckpointError(f"{path}: its history is not one of this course") from None
    return checkpoint["epoch"], checkpoint["step"], history


def train_on(
    path,
    network,
    loaders,
    optimizer,
    *,
    start,
    epochs,
    scheduler=None,
    save_every=0,
    after_epoch=None,
    **options,
):
    """Train from ``start``, which ``take_up`` returned, until ``epochs`` epochs are complete.

    Saves to ``path`` after each epoch, after every ``save_every`` batches (0: not) and at Ctrl-C: then the
    batch at hand is finished first, and Interrupted, a KeyboardInterrupt, is raised after the saving. A
    ``scheduler`` makes a step after every batch. ``after_epoch()`` is called after the saving; ``options``
    are those of ``fit``. Returns the History.

    Of many processes (lesson 11), each of which calls this with its share of the loaders, the first saves,
    and a signal to any stops all after the same batch. Raises LostProcess when another one has ended.
    """
    epoch, step, history = start
    signals = []

    def save():
        parts = {"history": history, "scheduler": scheduler, "loaders": loaders}
        parts["random"] = gathered_random_states()
        if place()[0] == 0:
            save_checkpoint(path, plain(network), optimizer, epoch=epoch, step=step, **parts)

    def after_step(optimizer, args, kwargs):
        nonlocal step
        step += 1
        if scheduler is not None:
            scheduler.step()
        # After the last batch too: the evaluation that follows takes seconds, in which a run may be killed.
        due = step == len(loaders.train) or (save_every and step % save_every == 0)
        # Looked at once: a signal that comes later must wait for the next batch.
        stopped_by = agreed(signals[0] if signals else 0)
        if stopped_by or due:
            save()
        if stopped_by:
            raise Interrupted(path, stopped_by, epoch, step)

    if (epoch, step) > (epochs, 0):
        raise CheckpointError(
            f"{path}: holds {epoch} epochs and {step} batches, more than the {epochs} epochs asked for; "
            "ask for more, or train into another file"
        )
    check_optimizer(network, optimizer)
    if many():
        options["evaluate"] = evaluate_together
    if agreed(not Path(path).exists()):
        save()  # the beginning, so that a run which is stopped at once starts again from these weights
    # PyTorch's own place for what is to happen after each step of an optimizer.
    hook = optimizer.register_step_post_hook(after_step)
    try:
        with noted_signals(signals), lost_process_named(path):
            for number in range(epoch + 1, epochs + 1):
                parts = {"first_epoch": number, "first_step": step, "history": history, **options}
                fit(network, loaders, optimizer, epochs=1, **parts)
                epoch, step = number, 0
                save()
                if after_epoch:
                    after_epoch()
                stopped_by = agreed(signals[0] if signals else 0)
                if stopped_by and number < epochs:
                    raise Interrupted(path, stopped_by, epoch, step)
    finally:
        hook.remove()
    return history


def fit_and_save(path, network, loaders, optimizer, *, epochs, scheduler=None, **options):
    """Train for ``epochs`` epochs in all, saving to ``path``; go on from there if it exists.

    Run again after Ctrl-C, a crash or ``kill -9`` it goes on from the last saving, and the result is the one
    of a run that was never stopped. The network, its optimizer and the seed must be set up as the first time.
    ``options`` are those of ``train_on`` and ``fit``. Returns the History; raises CheckpointError when the
    file is damaged or of another run.
    """
    start = take_up(path, network, loaders, optimizer, scheduler=scheduler)
    return train_on(
        path, network, loaders, optimizer, start=start, epochs=epochs, scheduler=scheduler, **options
    )


@contextmanager
def noted_signals(received: list):
    """Append a first Ctrl-C (or SIGTERM) to ``received`` in place of stopping at once; a second one stops.

    Of many processes none stops at once, for the others would wait for it in vain: torchrun sends its own
    signal after that of the terminal, and ends what has not ended 30 seconds later. They go on to take
    note after an error, so that nothing keeps them from saying what it was.
    """
    connected = many()

    def note(number, frame):
        received.append(number)
        if not connected:
            signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # A job in the background has Ctrl-C ignored, and keeps it so; only the main thread may set handlers.
    watched = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    if threading.current_thread() is not threading.main_thread():
        watched = []
    for number in watched:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in watched if not connected else ():
            signal.signal(number, before[number])
