"""The progress bar of a download."""

import os
import sys


def progress_bar(label: str, total: int | None = None):
    """Return a tqdm bar, in bytes, that is shown on a terminal or in a notebook and then removed."""
    from tqdm import tqdm

    # tqdm itself looks at TQDM_DISABLE only if `disable` is not passed.
    switched_off = os.environ.get("TQDM_DISABLE", "") not in ("", "0")
    in_notebook = type(sys.stdout).__module__.startswith("ipykernel")
    hidden = switched_off or not (in_notebook or sys.stdout.isatty())
    return tqdm(
        total=total, desc=label, unit="B", unit_scale=True, file=sys.stdout, leave=False, disable=hidden
    )
