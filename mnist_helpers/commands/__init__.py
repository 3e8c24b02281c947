"""The commands of ``python -m mnist_helpers``, a module each: ``add_parser`` and ``run``."""
