"""Grading: the students' answers are put into the released lesson and judged by the package's own checks.

reading     from what students sent to cells
finding     from cells to the answer of each exercise
needed      the statements that an answer needs
running     one answer in one process
limits      what such a process may not do
reports     the table, the page and the students' feedback
"""
