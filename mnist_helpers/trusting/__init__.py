"""What a checkpoint is checked for before any of it is used.

``crafted_files`` looks at the bytes, before PyTorch reads them: damage, and files made to do harm.
``matching`` looks at what was read: does it fit this network, this optimizer, these loaders?
"""
