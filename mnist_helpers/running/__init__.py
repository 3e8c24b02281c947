"""Training that survives: stopped at any moment and resumed, on one process or several, kept in a folder.

resuming.py    fit_and_save: the loop of lesson 3 with a checkpoint around it
signals.py     Ctrl-C and SIGTERM, noted at once and obeyed between two batches
processes.py   one training run on several processes
settings.py    what a command-line run is started with
run_folder.py  what it leaves behind
metrics.py     its table of losses
snapshots.py   small copies of the network through the training, for its page
run.py         from the settings to the trained network
"""
