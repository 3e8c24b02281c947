"""``evaluate``: how well a trained network reads the test images, overall and digit by digit."""

import json
import sys
from contextlib import redirect_stdout

from ..running.run_folder import counted
from ..running.settings import TEST_BATCH_HELP, whole_number
from .common import add_data_dir
from .stored_network import add_checkpoint, load_network


def add_parser(commands) -> None:
    """Add ``evaluate`` to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="say how well a trained network reads the test images",
        description="Print the loss and the accuracy of a trained network on MNIST's 10,000 test images, the "
        "accuracy for each digit, and which digits are mistaken for which. Changes nothing.",
        epilog="Example: python -m mnist_helpers evaluate runs/first/checkpoint.pt",
    )
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    add_data_dir(parser)
    parser.add_argument(
        "--test-batch-size",
        metavar="N",
        type=whole_number(1),
        default=1000,
        help=TEST_BATCH_HELP,
    )
    parser.set_defaults(run=run)


def run(options) -> int:
    """Evaluate and print. Raises ReaderError when the checkpoint or the data cannot be used."""
    from ..data import make_loaders

    network, checkpoint, path = load_network(options.checkpoint, options.network, options.device)
    with redirect_stdout(sys.stderr):  # what a fetch prints is not part of the result
        loaders = make_loaders(test_batch_size=options.test_batch_size, data_dir=options.data_dir)
    history = checkpoint["history"] or {}
    loss, accuracy, confusion = evaluate_in_detail(network, loaders.test)
    result = {
        "checkpoint": str(path),
        "network": type(network).__name__,
        "epochs": max(len(history.get("test_losses", [])) - 1, 0),
        "images_seen": history.get("seen", 0),
        "images": int(confusion.sum()),
        "loss": loss,
        "accuracy": accuracy,
        "class_accuracies": (confusion.diagonal() / confusion.sum(dim=1)).tolist(),
        "confusion": confusion.tolist(),
    }
    print(json.dumps(result) if options.json else report(result))
    return 0


def evaluate_in_detail(network, loader):
    """Return loss (nats), accuracy (0 to 1) and the confusion matrix of one pass over ``loader``.

    The matrix is int64 (10, 10), rows true digits and columns predictions, counted as in lesson 5.
    """
    import torch
    from tqdm import tqdm

    from ..reading import confusion_matrix
    from ..training import evaluate

    predictions = []  # noted as they are made, so that no second pass is needed
    note = network.register_forward_hook(lambda *call: predictions.append(call[-1].argmax(dim=1).cpu()))
    try:
        # After two seconds, and only on a terminal.
        loss, accuracy = evaluate(network, tqdm(loader, "test images", delay=2, leave=False, disable=None))
    finally:
        note.remove()
    return loss, accuracy, confusion_matrix(loader.dataset.labels, torch.cat(predictions))


def report(result: dict) -> str:
    """Return the result as text: the totals, a line per digit, the confusion matrix."""
    trained = f"{counted(result['epochs'], 'epoch')} ({result['images_seen']:,} images)"
    lines = [
        f"{result['network']} after {trained}, from {result['checkpoint']}",
        f"{result['images']:,} test images: loss {result['loss']:.4f}, accuracy {result['accuracy']:.2%}",
        "",
        "digit  images  right  accuracy",
    ]
    rows = list(enumerate(result["confusion"]))
    for (digit, row), share in zip(rows, result["class_accuracies"], strict=True):
        lines.append(f"{digit:5}  {sum(row):6,}  {row[digit]:5,}  {share:8.2%}")
    lines += ["", "Confusion matrix: a row for each true digit, a column for each prediction"]
    lines.append("true \\ predicted" + "".join(f"{digit:6}" for digit in range(10)))
    lines += [f"{digit:16}" + "".join(f"{count:6,}" for count in row) for digit, row in rows]
    return "\n".join(lines)
