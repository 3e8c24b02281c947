"""Trainings that survive: stopped at any moment and resumed, on one process or several, kept in a folder.

resuming.py    fit_and_save: the loop of lesson 3 with a checkpoint around it
signals.py     Ctrl-C and SIGTERM, noted now and obeyed between two batches
processes.py   one training on several processes
settings.py    what a run of the command line is started with
run_folder.py  what it leaves behind
metrics.py     its table of losses
run.py         from the settings to the trained network
"""
