"""What holds for the whole test run: the notebooks under nbval, and the tests."""

import os

# Kernels that nbval and nbclient start inherit the environment. A progress bar would only fill their outputs.
os.environ["TQDM_DISABLE"] = "1"
# A test draws into memory: no window, on a machine with a screen or without one.
os.environ.setdefault("MPLBACKEND", "Agg")
