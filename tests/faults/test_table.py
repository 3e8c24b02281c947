"""FAULTS.md maps every number to its tests, and names none that is not there."""

import pytest

from .table import NUMBERS, TABLE, by_number, named_in, rows

ROWS = rows(TABLE.read_text(encoding="utf-8"))
TESTS = by_number()


def test_the_table_has_a_row_for_each_number_in_order():
    assert [int(row[0]) for row in ROWS] == list(NUMBERS)
    assert [row for row in ROWS if len(row) != 4 or not all(row[:3])] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_every_fault_has_its_tests_and_its_row_names_them(number):
    assert TESTS.get(number), f"no test_fault_{number:02}_... in tests/faults"
    named = [name for row in ROWS if int(row[0]) == number for name in named_in(row)]
    assert sorted(named) == sorted(TESTS[number]), "to mend it: python -m tests.faults.table"


def test_no_test_is_numbered_otherwise():
    assert set(TESTS) <= set(NUMBERS)
    names = [name for names in TESTS.values() for name in names]
    assert len(names) == len(set(names))
