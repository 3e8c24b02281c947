"""What makes a checkpoint one to rely on: how it is written, and what it is checked for before it is used.

``writing`` puts a file in place whole or not at all.
``crafted_files`` looks at the bytes, before PyTorch reads them: damage, and files made to do harm.
``matching`` looks at what was read: does it fit this network, this optimizer, these loaders?
"""
