"""``check``: say whether this computer has what the course needs."""

from .common import add_data_dir


def add_parser(commands) -> None:
    """Add ``check`` to the command line."""
    parser = commands.add_parser(
        "check",
        help="say whether this computer has what the course needs",
        description="Print a line per requirement: OK, or FAIL and what to do about it. Changes nothing and "
        "needs no network. The exit status is 1 if anything fails.",
    )
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run(options) -> int:
    """Print a line per requirement; return 1 if one of them fails."""
    from ..requirements_check import check_requirements

    failed = 0
    for finding in check_requirements(options.data_dir):
        print(finding, flush=True)
        failed += not finding.ok
    print(f"Lines that need attention: {failed}." if failed else "Everything is ready.")
    return int(failed > 0)
