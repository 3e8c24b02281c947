"""What the first cell of every lesson needs: figures in the page, a folder to write in, and MNIST."""

import os
import tempfile
from pathlib import Path

from .fetching import fetch_mnist


def start_lesson() -> Path:
    """Return the data folder, after fetching MNIST if necessary, and make this kernel ready for a lesson.

    Figures appear in the page, whatever ``MPLBACKEND`` says; a lesson saved as a script leaves them alone.
    Where the notebook's folder cannot be written, as with a hub's shared material, the lesson works in a
    folder of this user, and a line says which. Raises DataError as ``fetch_mnist`` does.
    """
    import torch
    from IPython import get_ipython

    if shell := get_ipython():
        shell.run_line_magic("matplotlib", "inline")
        shell.run_line_magic("config", "InlineBackend.figure_formats = ['retina']")
    use_writable_folder()
    data_dir = fetch_mnist()
    print(f"Ready: PyTorch {torch.__version__}, MNIST in the folder {data_dir.name}")
    return data_dir


def use_writable_folder() -> None:
    """Leave a working folder that cannot be written for one that can; the same one for all lessons."""
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()):
            return
    except OSError as error:
        import pooch

        scratch = Path(pooch.os_cache("mnist-notebooks")) / "notebooks"
        scratch.mkdir(parents=True, exist_ok=True)
        print(f"Nothing can be written here ({error.strerror}); what this lesson saves goes to {scratch}")
        os.chdir(scratch)
