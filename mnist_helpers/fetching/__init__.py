"""MNIST on this machine: found, or fetched, and every byte of it verified."""

from .folder import DataError, fetch_mnist, find_data_dir

__all__ = ["DataError", "fetch_mnist", "find_data_dir"]
