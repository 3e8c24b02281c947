"""Arguments are checked at the door: one line that names the argument, its value and what is allowed."""

import math
import operator

from .errors import TrainingError


def require_int(name: str, value, *, minimum: int, maximum: int | None = None) -> int:
    """Return ``value`` as an int between ``minimum`` and ``maximum`` (both allowed).

    Raises ValueError that names the argument; True and 3.5 are no integers here, numpy's integers are.
    """
    allowed = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum:,}"
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; allowed is a whole number, {allowed}")
    if number < minimum or (maximum is not None and number > maximum):
        raise ValueError(f"{name} is {number:,}; allowed is {allowed}")
    return number


def check_optimizer(network, optimizer) -> None:
    """Refuse an optimizer that would train something other than ``network``.

    An optimizer built over another network's parameters raises no error of its own: the losses are printed,
    and this network stays as it is. Lesson 6 shows a well-known tutorial in which that happens.

    Raises ValueError when the optimizer holds parameters that are not the network's or leaves some of the
    trainable ones out, and when a learning rate is not above 0 and finite.
    """
    held = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    own = {id(tensor) for tensor in network.parameters()}
    trainable = {id(tensor) for tensor in network.parameters() if tensor.requires_grad}
    if not held <= own or not trainable <= held:
        raise ValueError(
            f"optimizer holds {len(held & own)} of this network's {len(own)} parameter tensors and "
            f"{len(held - own)} of another's; build it over this network: SGD(network.parameters(), ...)"
        )
    for group in optimizer.param_groups:
        learning_rate = float(group["lr"])
        if not (learning_rate > 0 and math.isfinite(learning_rate)):
            raise ValueError(f"the optimizer's lr is {learning_rate}; allowed is a finite number above 0")


def require_finite_loss(loss: float, epoch: int, step: int) -> None:
    """Raise TrainingError if the loss before batch ``step`` of ``epoch`` is NaN or infinite."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"epoch {epoch}, batch {step}: the training loss is {loss}, and training stopped. Usually the "
            "learning rate is too high: divide it by 10 and build the network and its optimizer anew; "
            "the last checkpoint is as it was"
        )
