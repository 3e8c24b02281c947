"""For those who teach the course: hand-outs without solutions, and the grading of what comes back."""
