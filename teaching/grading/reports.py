"""What grading leaves behind: a table for a spreadsheet, a page for the teacher, a page for each student."""

import csv
import re
from html import escape
from pathlib import Path
from typing import NamedTuple

MARKS = {"right": "✓", "wrong": "✗", "stopped": "✗", "not attempted": "–"}
STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
div, pre { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 }
caption { text-align: left; font-weight: bold }
th, td, pre { border: 1px solid #8888; padding: .25rem .6rem; text-align: left; vertical-align: top }
"""


class Result(NamedTuple):
    """Of one exercise: a state, which is one of MARKS, the sentence, and the student's code."""

    state: str
    sentence: str
    code: str


class Grade(NamedTuple):
    """Of one student: the results by the exercise's number, and notes as (file, text)."""

    name: str
    alias: str
    results: dict[str, Result]
    notes: list[tuple[str, str]]

    @property
    def points(self) -> int:
        return sum(result.state == "right" for result in self.results.values())

    def called(self, names: bool) -> str:
        """What the student is called in table and page."""
        return self.name if names else self.alias

    def told(self, names: bool) -> list[str]:
        """The notes; the files are called by their names only where students are."""
        return [f"{file}: {text}" if names and file else text for file, text in self.notes]


def write_reports(folder: Path, grades: list[Grade], names: bool) -> None:
    """Write grades.csv, grades.html and feedback/; without ``names`` the first two call nobody by name."""
    (folder / "feedback").mkdir(parents=True)
    if not names:
        grades = sorted(grades, key=lambda grade: _numbers(grade.alias))
    columns = sorted({number for grade in grades for number in grade.results}, key=_numbers)
    lines, rows, told, taken = [["student", *columns, "points", "of", "notes"]], [], [], set()
    for grade in grades:
        states = [grade.results[number].state if number in grade.results else "" for number in columns]
        sums, notes = [str(grade.points), str(len(grade.results))], grade.told(names)
        given = [state and str(int(state == "right")) for state in states]
        lines.append([_plain(grade.called(names)), *given, *sums, _plain("; ".join(notes))])
        file = _file_name(grade.name, taken)
        (folder / "feedback" / file).write_text(_feedback(grade, names), encoding="utf-8")
        shown = f'<a href="feedback/{file}">{escape(grade.name)}</a>' if names else grade.alias
        rows.append([shown, *sums, *map(_mark, states)])
        told += [f"<li>{escape(grade.called(names))}: {escape(note)}</li>" for note in notes]
    with open(folder / "grades.csv", "w", encoding="utf-8-sig", newline="") as output:  # Excel wants the mark
        csv.writer(output).writerows(lines)
    sent = [
        [grade.results[number].state for grade in grades if number in grade.results] for number in columns
    ]
    rows.append(["right", "", "", *(f"{some.count('right')}/{len(some)}" for some in sent)])
    body = _table("Points", ["student", "points", "of", *columns], rows)
    body += "<p>✓ right, ✗ not right, – not attempted; empty: the lesson was not sent.</p>\n"
    body += _wrong_answers(grades, names)
    body += f"<h2>Notes</h2>\n<ul>{''.join(told)}</ul>" if told else ""
    (folder / "grades.html").write_text(_page("Grades", body), encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def _plain(text: str) -> str:
    """Keep a spreadsheet from taking a student's text for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _file_name(name: str, taken: set[str]) -> str:
    """Return a name for a student's page: short, harmless in a shell and an address, and not taken."""
    base = re.sub(r"[^\w.-]+", "_", name).strip("._-") or "student"
    base = base.encode()[:120].decode("utf-8", "ignore")
    choices = [base, *(f"{base}-{number}" for number in range(2, len(taken) + 2))]
    base = next(choice for choice in choices if choice.casefold() not in taken)
    taken.add(base.casefold())
    return f"{base}.html"


def _wrong_answers(grades: list[Grade], names: bool) -> str:
    """Return who gave which wrong answer, the commonest first. Sentences that differ in numbers are one."""
    who, examples = {}, {}
    for grade in grades:
        for number, result in grade.results.items():
            if result.state in ("wrong", "stopped"):
                kind = number, re.sub(r"[-\d.,]+", "#", result.sentence)
                who.setdefault(kind, []).append(escape(grade.called(names)))
                examples.setdefault(kind, escape(result.sentence))
    kinds = sorted(who, key=lambda kind: (-len(who[kind]), _numbers(kind[0])))
    rows = [[kind[0], str(len(who[kind])), examples[kind], ", ".join(who[kind])] for kind in kinds]
    return (
        _table("Wrong answers", ["exercise", "how many", "what the check says", "who"], rows) if rows else ""
    )


def _feedback(grade: Grade, names: bool) -> str:
    parts = [f"<p>{grade.points} of {len(grade.results)} points.</p>"]
    parts += [f"<p>{escape(note)}</p>" for note in grade.told(True)]
    for number, result in sorted(grade.results.items(), key=lambda item: _numbers(item[0])):
        parts.append(f"<h2>Exercise {number} {_mark(result.state)}</h2>\n<p>{escape(result.sentence)}</p>")
        parts += [f"<pre><code>{escape(result.code)}</code></pre>"] if result.code else []
    return _page(grade.name if names else f"{grade.name} ({grade.alias})", "\n".join(parts))


def _mark(state: str) -> str:
    return state and f'<span role="img" aria-label="{state}" title="{state}">{MARKS[state]}</span>'


def _table(caption: str, header: list[str], rows: list[list[str]]) -> str:
    """Return a table; its cells are HTML, and the first of a row names the row."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    lines = [f"<div><table><caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>"]
    for first, *cells in rows:
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    return "\n".join([*lines, "</tbody></table></div>\n"])


def _page(title: str, body: str) -> str:
    """Return a page that needs nothing beside it."""
    title = escape(title)
    head = (
        f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{title}</title>'
    )
    head = f'<!DOCTYPE html>\n<html lang="en">\n{head}\n<style>{STYLE}</style>'
    return f"{head}\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</html>\n"
