"""What tells a student whether an exercise is right.

Each lesson has a module here, and a check is called with the student's answer::

    from mnist_helpers.checks import lesson_01 as checks
    checks.share_of_ink(answer)

It prints one line, *Not yet*, *Not quite, because ...* or *Right*, and never raises.
"""
