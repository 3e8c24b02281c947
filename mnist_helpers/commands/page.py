"""``page``: one HTML file in which a trained network reads what is drawn, and shows why."""

from pathlib import Path

from .common import add_data_dir
from .stored_network import add_checkpoint, load_network


def add_parser(commands) -> None:
    """Add ``page`` to the command line."""
    parser = commands.add_parser(
        "page",
        help="write a page in which a trained network reads what you draw",
        description="Write one HTML file in which a trained network reads what is drawn in it, and shows "
        "what each layer made of it. It opens with a double click and needs no server and no internet. If "
        "the folder of the checkpoint holds snapshots.pt, as that of a run of Net or FastNet does, a slider "
        "shows the network through its training.",
        epilog="Example: python -m mnist_helpers page runs/first",
    )
    add_checkpoint(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the file to write (default: beside the checkpoint, with its name and .html)",
    )
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run(options) -> int:
    """Write the page. Raises ReaderError when the checkpoint, the data or the file cannot be used."""
    from ..page import write_page
    from ..running.run_folder import CHECKPOINT, SNAPSHOTS
    from ..running.snapshots import read_snapshots

    network, checkpoint, path = load_network(options.checkpoint, options.network, options.device)
    snapshots = read_snapshots(path.with_name(SNAPSHOTS)) if path.name == CHECKPOINT else []
    seen = (checkpoint["history"] or {}).get("seen", 0)
    out = options.out or path.with_suffix(".html")
    write_page(network, out, snapshots=snapshots, seen=seen, data_dir=options.data_dir)
    print(f"{out}: {out.stat().st_size / 1000:,.0f} kB; open it in a browser")
    return 0
