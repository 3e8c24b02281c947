"""What holds for the whole test run: the notebooks under nbval, and the tests."""

import os

# Kernels that nbval and nbclient start inherit the environment. A progress bar would only fill their outputs.
os.environ["TQDM_DISABLE"] = "1"
# A reader's own MPLBACKEND would reach the kernels too, and a kernel that draws elsewhere shows no figures.
os.environ.pop("MPLBACKEND", None)
# Two tests run side by side; if each used all cores, they would wait for each other and be many times slower.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
