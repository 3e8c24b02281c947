"""Small copies of a network through its training, for the slider of its page.

They are taken around the loop of lesson 3, with the loader that lesson 7 writes out::

    history = History()
    snapshots = Snapshots(network, history, batches=3 * len(loaders.train))
    watched = loaders._replace(train=WatchedLoader(loaders.train, snapshots.after_batch))
    fit(network, watched, optimizer, epochs=3, history=history)
    write_page(network, "my_network.html", snapshots=snapshots.kept)
"""

from pathlib import Path

import numpy as np
import torch

from ..errors import CheckpointError
from ..trusting.crafted_files import check_file
from .run_folder import replaced

COUNT = 24  # of Net, 1 MB in half precision


class Snapshots:
    """Keeps a network in half precision at up to 24 moments of a training of ``batches`` batches.

    Training changes most at its beginning, so the moments are close together there. ``kept`` is a list of
    ``{"seen": images seen, "model": state_dict}``, the first of the untrained network. With ``path``, the
    list is written there whenever it grows; ``kept`` may be given for a run that is resumed.
    """

    def __init__(self, network, history, batches: int, *, path=None, kept=()) -> None:
        self.network, self.history, self.path = network, history, path
        self.moments = set(np.geomspace(1, batches, COUNT - 1).round().astype(int).tolist())
        self.kept = [each for each in kept if each["seen"] <= history.seen]
        if not self.kept:
            self.keep()

    def after_batch(self) -> None:
        """Keep the network if this is one of the moments."""
        if len(self.history.train_losses) in self.moments:
            self.keep()

    def keep(self) -> None:
        """Keep the network as it is now."""
        state = {
            name: tensor.detach().cpu().half() if tensor.is_floating_point() else tensor.cpu().clone()
            for name, tensor in self.network.state_dict().items()
        }
        self.kept.append({"seen": self.history.seen, "model": state})
        if self.path is not None:
            with replaced(self.path) as temporary:
                torch.save({"snapshots": self.kept}, temporary)


def read_snapshots(path) -> list[dict]:
    """Return the snapshots in a file, or none where there is no such file.

    Raises CheckpointError when the file is damaged or holds something else.
    """
    path = Path(path)
    if not path.exists():
        return []
    check_file(path)
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)["snapshots"]
        return [{"seen": int(each["seen"]), "model": dict(each["model"])} for each in kept]
    except Exception as error:  # torch.load raises whatever its reader runs into
        raise CheckpointError(
            f"{path}: does not hold snapshots; remove it ({type(error).__name__})"
        ) from None
