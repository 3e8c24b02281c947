"""Arguments are checked at the door: one line that names the argument, its value and what is allowed."""

import inspect
import math
import operator

NETWORKS = ("Net", "ThreeLayerNet", "WideNet", "ConvNet", "FastNet")  # the classes of models.py


def require_int(name: str, value, *, minimum: int, maximum: int | None = None) -> int:
    """Return ``value`` as an int between ``minimum`` and ``maximum`` (both allowed).

    Raises a ValueError that names the argument. numpy's integers are accepted; True and 3.5 are not.
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
    """Refuse an optimizer that would not train ``network``.

    An optimizer built over another network's parameters raises no error of its own: the losses are printed,
    and this network stays as it is. Lesson 6 shows a well-known tutorial in which that happens.

    Raises ValueError when the optimizer holds parameters that are not the network's or leaves some of the
    trainable ones out, when its learning rate is not above 0, and when the loop of lesson 3 cannot
    use it: LBFGS evaluates the loss itself, SparseAdam takes sparse gradients.
    """
    held = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    own = {id(tensor) for tensor in network.parameters()}
    trainable = {id(tensor) for tensor in network.parameters() if tensor.requires_grad}
    if not held <= own or not trainable <= held:
        raise ValueError(
            f"optimizer holds {len(held & own)} of this network's {len(own)} parameter tensors and "
            f"{len(held - own)} of another's; build it over this network: SGD(network.parameters(), ...)"
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if (closure and closure.default is closure.empty) or type(optimizer).__name__ == "SparseAdam":
        raise ValueError(
            f"{type(optimizer).__name__} needs a training loop of its own; allowed is an optimizer such as "
            "SGD or Adam"
        )
    for group in optimizer.param_groups:
        # A schedule may begin at 0, as a warm-up does; it keeps the rate it was given under this name.
        learning_rate = float(group.get("initial_lr", group["lr"]))
        if not (learning_rate > 0 and math.isfinite(learning_rate)):
            raise ValueError(f"the optimizer's lr is {learning_rate}; allowed is a finite number above 0")
