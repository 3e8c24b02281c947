"""Where a student's notebook answers an exercise, whatever happened to its cells.

The notebook is read as a row of pieces: a cell each, or several where one was split. For each exercise the
finders are asked in turn, and the first that knows an attempt wins. An attempt binds the name that the stub
binds, and is not the stub. Of several the last counts, as in a kernel that runs from top to bottom (to try
them all would let somebody guess); within a cell, the one that the exercise's check is asked about.
"""

import re
from collections import Counter
from typing import NamedTuple

from ..release import HEADING, Exercise, Lesson, is_solution
from .needed import Statement, needed, statements
from .reading import Cell

ANY_HEADING = re.compile(r"^##+ ", re.MULTILINE)
MOST_PARTS = 6  # into which a cell was split


class Piece(NamedTuple):
    """A cell, or the parts of one that was split; ``error`` says why it is no Python."""

    source: str
    statements: tuple[Statement, ...]
    error: str
    text: bool  # it was turned into text
    state: str  # "released", "changed" (a released cell that is no stub) or "own"
    ids: frozenset
    exercises: frozenset  # by metadata
    region: str  # the exercise whose heading stands above
    anchor: int  # place of the last released cell above it


class Found(NamedTuple):
    """An answer: the code that was found and what has to run; or ``error``, why there is nothing to run."""

    source: str
    program: list[str]
    error: str


def lesson_of(cells: list[Cell], lessons: list[Lesson]) -> Lesson | None:
    """Return the lesson that a notebook is, by its cells and not by its file's name; None if by nothing."""
    shared = Counter(value for lesson in lessons for value in _marks(lesson))
    texts = [cell.source for cell in cells]
    whole = "\n".join(texts)
    there = {cell.id for cell in cells} | {text.strip() for text in texts}

    def likeness(lesson):
        score = sum(mark in there for mark in _marks(lesson) if mark and shared[mark] == 1)
        for one in lesson.exercises:
            names = (
                rf"Exercise {one.number}\b",
                rf"\bchecks\.{one.check}\(",
                rf"^(?:def )?{one.answer}\b *[=(]",
            )
            score += sum(bool(re.search(name, whole, re.MULTILINE)) for name in names)
        return score + (f"checks import lesson_{lesson.number}" in whole)

    best = max(lessons, key=likeness)
    return best if likeness(best) else None


def _marks(lesson: Lesson) -> set[str]:
    return {value.strip() for cell in lesson.cells for value in (cell["id"], cell["source"])}


def pieces_of(cells: list[Cell], lesson: Lesson) -> list[Piece]:
    """Tell the student's cells from the released ones, and put split cells together."""
    sources = {cell["source"].strip(): at for at, cell in enumerate(lesson.cells)}
    places = {cell["id"]: at for at, cell in enumerate(lesson.cells)}
    stubs = {exercise.at for exercise in lesson.exercises}
    keys = {exercise.number: exercise.key for exercise in lesson.exercises}
    pieces, region, anchor = [], "", -1
    for cell in cells:
        source = cell.source.replace("\r\n", "\n")
        place = sources.get(source.strip(), places.get(cell.id))
        released = source.strip() in sources
        if numbers := HEADING.findall(source):
            region = keys.get(numbers[-1], "")
        elif cell.kind == "markdown" and ANY_HEADING.search(source):
            region = ""
        text = cell.kind != "code"
        state = "released" if released else "own" if place is None or place in stubs else "changed"
        anchor = anchor if place is None else place
        if source.strip() and not (text and state == "released"):
            ids, exercises = frozenset([cell.id]), frozenset([cell.exercise])
            pieces.append(Piece(source, (), "", text, state, ids, exercises, region, anchor))
    return _parsed(pieces, {exercise.answer for exercise in lesson.exercises})


def _parsed(pieces: list[Piece], names: set[str]) -> list[Piece]:
    parsed, at = [], 0
    while at < len(pieces):
        first, size = pieces[at], 1
        while at + size < len(pieces) and size < MOST_PARTS and _continued(pieces[at : at + size + 1]):
            size += 1
        while size > 1 and _parse("\n".join(piece.source for piece in pieces[at : at + size]))[1]:
            size -= 1  # what looked like a split cell is not one
        parts = pieces[at : at + size]
        source = "\n".join(part.source for part in parts)
        found, error = _parse(source)
        if error and any(name in source for name in names):
            found = _fragments(source)
        ids = frozenset().union(*(part.ids for part in parts))
        exercises = frozenset().union(*(part.exercises for part in parts))
        piece = first._replace(source=source, statements=found, error=error, ids=ids, exercises=exercises)
        parsed.append(piece)
        at += size
    return parsed


def _continued(parts: list[Piece]) -> bool:
    """Whether the last part may go on with what those before it began: one is no Python alone."""
    if any(part.text or part.state != "own" for part in parts):
        return False
    before = "\n".join(part.source for part in parts[:-1])
    return bool(_parse(before)[1] or _parse(parts[-1].source)[1])


def _parse(source: str) -> tuple[tuple[Statement, ...], str]:
    try:
        return statements(source), ""
    except SyntaxError as error:
        return (), f"line {error.lineno or 1}: {error.msg}"


def _fragments(source: str) -> tuple[Statement, ...]:
    """Return the statements between lines that are no Python, as in text with code in it.

    A fragment ends where a line begins at the margin, so that half a function is none.
    """
    lines = source.splitlines()[:400]
    edges = [at for at, line in enumerate(lines) if line[:1].strip()] + [len(lines)]
    found, first = (), 0
    while first < len(edges) - 1:
        for last in range(min(first + 12, len(edges) - 1), first, -1):
            some, error = _parse("\n".join(lines[edges[first] : edges[last]]))
            if not error:
                found, first = found + some, last
                break
        else:
            first += 1
    return found


def find(exercise: Exercise, lesson: Lesson, pieces: list[Piece]) -> Found | None:
    """Return a student's answer to an exercise, or None if there is none but the stub."""
    key, stub = exercise.key, f"{exercise.key}-stub"
    finders = [
        lambda piece: stub in piece.ids,
        lambda piece: key in piece.exercises,
        lambda piece: piece.region == key,
        lambda piece: True,
    ]
    judged = _judged(pieces, exercise.answer)
    for order, belongs in enumerate(finders):
        attempts = []
        for at, piece in enumerate(pieces):
            if piece.state == "released" or not belongs(piece):
                continue
            for cut, one in enumerate(piece.statements):
                trust = _trust(exercise, lesson, piece, judged.get((at, cut)), order)
                if trust and _answers(one, exercise):
                    asked = judged.get((at, cut)) == exercise.check
                    attempts.append((not piece.text, trust, at, asked, cut))
        if attempts:
            *_, at, _, cut = max(attempts)
            sources = [pieces[at].source]
            for below in range(at + 1, len(pieces)):  # of a cell that was split between two statements
                piece = pieces[below]
                if piece.anchor != pieces[at].anchor or piece.state != "own" or piece.text:
                    break
                for place, one in enumerate(piece.statements):
                    if _answers(one, exercise) and exercise.answer not in one.sets:  # it adds to the answer
                        sources.append(piece.source)
                        at, cut = below, place
            return Found("\n".join(sources), _program(exercise, lesson, pieces, at, cut), "")
    for piece in pieces:  # an attempt that is no Python
        near = stub in piece.ids or key in piece.exercises or piece.region == key
        named = re.search(rf"\b{exercise.answer}\b", piece.source)
        if near and named and piece.error and piece.state == "own" and not piece.text:
            return Found(piece.source, [], f"the cell is no Python ({piece.error})")
    return None


def _answers(one: Statement, exercise: Exercise) -> bool:
    name = exercise.answer
    touches = name in one.binds or (name in one.changes and not one.checks)
    return touches and one.source not in {stub.source for stub in statements(exercise.stub)}


def _judged(pieces: list[Piece], name: str) -> dict[tuple[int, int], str]:
    """Say of each statement that binds or changes ``name`` which check is asked about it, if any is."""
    judged, check = {}, None
    for at in reversed(range(len(pieces))):
        for cut in reversed(range(len(pieces[at].statements))):
            one = pieces[at].statements[cut]
            if asked := [check for check, argument in one.checks if argument == name]:
                check = asked[0]
            elif name in one.binds or name in one.changes:
                judged[at, cut] = check
                check = None if name in one.sets else check
    return judged


def _trust(exercise: Exercise, lesson: Lesson, piece: Piece, check: str | None, order: int) -> int:
    """How surely a statement is meant for this exercise, where several share a name such as ``answer``.

    2 if this exercise's check judges it, 1 if none does and no other exercise claims it, 0 if one does.
    """
    rivals = [other for other in lesson.exercises if other.answer == exercise.answer]
    if check is not None and check not in {other.check for other in lesson.exercises}:
        return 0  # an exercise of an older edition
    if order == 0 or len(rivals) == 1:
        return 1
    if check is not None:
        return 2 * (check == exercise.check)
    claims = [other for other in rivals if f"{other.key}-stub" in piece.ids or other.key in piece.exercises]
    nearest = min(rivals, key=lambda other: abs(other.at - 1 - piece.anchor))
    return int(exercise in claims if claims else order == 2 or nearest == exercise)


def _program(exercise: Exercise, lesson: Lesson, pieces: list[Piece], at: int, cut: int) -> list[str]:
    """Return what runs: of the student's and the released statements those that the answer needs.

    Before the answer stand, in this order: the released cells above the stub; what binds names that are not
    bound yet, further down in the lesson, in changed cells and below the answer; the student's cells above.
    """

    def released(some):
        return [one for cell in some if cell["cell_type"] == "code" for one in _parse(cell["source"])[0]]

    own = [piece.statements if piece.state == "own" and not piece.text else () for piece in pieces]
    own[at] = pieces[at].statements
    above = [one for some in own[:at] for one in some] + list(own[at][: cut + 1])
    below = list(own[at][cut + 1 :]) + [one for some in own[at + 1 :] for one in some]
    changed = [one for piece in pieces if piece.state == "changed" for one in piece.statements]
    after = [cell for cell in lesson.cells[exercise.at + 3 :] if not is_solution(cell)]
    before = released(lesson.cells[: exercise.at])
    known = {name for one in before + above for name in one.binds}
    for one in released(after) + changed + below:
        if one.binds and not one.binds & known:
            before.append(one)
            known |= one.binds
    return needed(before + above, exercise.answer)
