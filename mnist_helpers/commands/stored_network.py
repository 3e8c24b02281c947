"""From a checkpoint to a network that is ready to answer, for the commands that do not train."""

from pathlib import Path

from ..arguments import NETWORKS
from ..running.run_folder import CHECKPOINT
from ..running.settings import DEVICE_HELP
from .common import ArgumentError


def add_checkpoint(parser) -> None:
    """Add ``CHECKPOINT``, ``--network`` and ``--device``."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        help="the file of a trained network, or the folder of a run, whose checkpoint.pt is then used",
    )
    parser.add_argument(
        "--network",
        choices=NETWORKS,
        help="which network of the course it is (default: the one that its weights fit)",
    )
    parser.add_argument("--device", metavar="NAME", default="auto", help=DEVICE_HELP)


def load_network(path: Path, name: str | None = None, device: str = "auto"):
    """Return a checkpoint's network, in evaluation mode on the named device, the checkpoint and its path.

    ``path`` may be the folder of a run. ``name`` is one of ``NETWORKS``; without it, the network is the one
    whose tensors have the names and the shapes of the checkpoint's.

    Raises ArgumentError when this machine lacks the device, and CheckpointError when the file cannot be used
    or the weights do not fit.
    """
    from .. import models
    from ..checkpoints import CheckpointError, load_checkpoint, read_checkpoint
    from ..training import pick_device
    from ..trusting.matching import network_of

    if (path / CHECKPOINT).is_file():
        path = path / CHECKPOINT
    try:
        where = pick_device(device)
    except ValueError as error:
        raise ArgumentError(f"argument --device: {error}") from None
    name = name or network_of(read_checkpoint(path)["model"])
    if name is None:
        raise CheckpointError(
            f"{path}: its weights fit none of the course's networks ({', '.join(NETWORKS)})"
        )
    network = getattr(models, name)()
    checkpoint = load_checkpoint(path, network)
    return network.to(where).eval(), checkpoint, path
