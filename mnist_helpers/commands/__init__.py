"""The commands of ``python -m mnist_helpers``, one module each: ``add_parser`` and ``run``."""
