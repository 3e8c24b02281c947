"""``fetch``: get MNIST, unless it is here already."""

from .common import add_data_dir


def add_parser(commands) -> None:
    """Add ``fetch`` to the command line."""
    parser = commands.add_parser(
        "fetch",
        help="download MNIST, if it is not here yet",
        description="Get the four files of MNIST (a download of 12 to 16 MB), check every byte of them, and "
        "print the folder they are in. If they are here already, no network is needed.",
    )
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run(options) -> int:
    """Get MNIST and print where it is. Raises DataError if no source has it."""
    # Imported here, so that `check` works where this cannot be imported.
    from ..fetching import fetch_mnist

    print(f"MNIST is in {fetch_mnist(options.data_dir)}")
    return 0
