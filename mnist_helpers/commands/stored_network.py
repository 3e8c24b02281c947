"""From a checkpoint to a network that is ready to answer, for the commands that do not train."""

from pathlib import Path

from .common import add_device, device_named
from .settings import NETWORKS


def add_checkpoint(parser) -> None:
    """Add ``CHECKPOINT``, ``--network`` and ``--device``."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        help="the file of a trained network, such as checkpoint.pt in the folder of a run",
    )
    parser.add_argument(
        "--network",
        choices=NETWORKS,
        help="which network of the course it is (otherwise: the one that its weights fit)",
    )
    add_device(parser, default="auto")


def load_network(path: Path, name: str | None = None, device: str = "auto"):
    """Return the network of a checkpoint in evaluation mode, on the named device, and the checkpoint's dict.

    ``name`` is one of ``NETWORKS``; without it, the network is the one whose tensors have the names and the
    shapes of the checkpoint's.

    Raises ArgumentError when this machine lacks the device, and CheckpointError when the file cannot be used
    or the weights do not fit.
    """
    from .. import models
    from ..checkpoints import load_checkpoint, read_checkpoint

    where = device_named(device)
    name = name or fitting_network(path, read_checkpoint(path)["model"])
    network = getattr(models, name)()
    checkpoint = load_checkpoint(path, network)
    return network.to(where).eval(), checkpoint


def fitting_network(path: Path, weights: dict) -> str:
    """Return the name of the course's network that has tensors of these names and shapes.

    Raises CheckpointError when none has.
    """
    from .. import models
    from ..checkpoints import CheckpointError

    for name in NETWORKS:
        if shapes(getattr(models, name)().state_dict()) == shapes(weights):
            return name
    raise CheckpointError(f"{path}: its weights fit none of the course's networks ({', '.join(NETWORKS)})")


def shapes(weights) -> dict:
    """Return the shape of each tensor by its name; what is no tensor has none."""
    weights = weights if isinstance(weights, dict) else {}
    return {name: getattr(value, "shape", None) for name, value in weights.items()}
