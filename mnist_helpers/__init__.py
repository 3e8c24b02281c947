"""The small package shared by the lessons: MNIST in memory, one network, a training loop, checkpoints, plots.

Each name is written out in the lesson that teaches it and kept here for the lessons after it.

Names are imported when they are first used (PEP 562), so that ``python -m mnist_helpers check`` can still
say what is wrong on a machine where torch itself does not import.
"""

from importlib import import_module

_MODULE_OF = {
    "DataError": "fetching",
    "fetch_mnist": "fetching",
    "Digits": "data",
    "Loaders": "data",
    "MNIST_MEAN": "data",
    "MNIST_STD": "data",
    "load_mnist": "data",
    "make_loaders": "data",
    "ConvNet": "models",
    "FastNet": "models",
    "Net": "models",
    "ThreeLayerNet": "models",
    "WideNet": "models",
    "History": "training",
    "evaluate": "training",
    "fit": "training",
    "pick_device": "training",
    "set_seed": "training",
    "train_epoch": "training",
    "CheckpointError": "errors",
    "fit_and_save": "running.resuming",
    "load_checkpoint": "checkpoints",
    "save_checkpoint": "checkpoints",
    "Pad": "page.widget",
    "show_page": "page",
    "write_page": "page",
    "start_lesson": "starting",
    "plot_confusion": "plots",
    "plot_history": "plots",
    "show_digits": "plots",
    "show_predictions": "plots",
}
_SUBMODULES = {
    *("arguments", "checks", "checkpoints", "data", "fetching", "models", "page", "pictures", "plots"),
    *("recipes", "running", "starting", "training"),
}

__all__ = sorted(_MODULE_OF.keys() - {"Pad"})  # which needs anywidget


def __getattr__(name: str):
    if name in _MODULE_OF:
        return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_SUBMODULES})
