"""Each check accepts its solution and refuses the stub and wrong answers, with a message that helps."""

import importlib
import inspect

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mnist_helpers import load_mnist
from mnist_helpers.checks.vocabulary import PRINTED

from .notebooks import NOTEBOOKS, number, printed, read, tagged

LESSONS = [number(path) for path in NOTEBOOKS]


def checks_of(lesson: str) -> dict:
    """The checks of a lesson by name: the functions that its module decorates."""
    module = importlib.import_module(f"mnist_helpers.checks.lesson_{lesson}")
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and hasattr(function, "__wrapped__")
    }


def cases_of(lesson: str) -> dict:
    return importlib.import_module(f".lesson_{lesson}", __package__).CASES


WRONG = [
    pytest.param(lesson, name, answer, fragment, id=f"{lesson}-{name}-{index}")
    for lesson in LESSONS
    for name, case in cases_of(lesson).items()
    for index, (answer, fragment) in enumerate(case["wrong"])
]
CHECKS = [
    pytest.param(lesson, name, id=f"{lesson}-{name}") for lesson in LESSONS for name in cases_of(lesson)
]
STUBS = [
    pytest.param(lesson, name, case["stub"], id=f"{lesson}-{name}")
    for lesson in LESSONS
    for name, case in cases_of(lesson).items()
]


def threes():
    train, _ = load_mnist()
    return train.images[train.labels == 3]


def undo(normalised):
    pixels = (normalised.numpy() * 0.3081 + 0.1307) * 255
    return np.rint(pixels).astype(np.uint8)


def mended():
    layers = [torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    layers += [torch.nn.Conv2d(8, 16, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    return torch.nn.Sequential(torch.nn.Sequential(*layers), torch.nn.Flatten(), torch.nn.Linear(400, 10))


def step(network, optimizer, images, labels):
    network.zero_grad()
    loss = F.nll_loss(network(images).log_softmax(dim=1), labels)
    loss.backward()
    optimizer.step()
    return np.float64(loss.item())


def repaired(network, optimizer, batches):
    network.train()
    return tuple(float(step(network, optimizer, *batch)) for batch in batches)


def smooth(losses, beta):
    weights = [[beta ** (t - s) * (s <= t) for s in range(len(losses))] for t in range(len(losses))]
    return torch.tensor([np.dot(row, losses) / sum(row) for row in weights])


def keep(losses, patience):
    best = losses.index(min(losses[:1]))
    while min(losses[best + 1 : best + patience + 1], default=np.inf) < losses[best]:
        best = next(i for i in range(best + 1, len(losses)) if losses[i] < losses[best])
    return torch.tensor(best)


def top_k(logits, labels, k):
    above = (logits > logits[torch.arange(len(labels)), labels][:, None]).sum(dim=1)
    return (above < k).float().mean()


def answer_or_pass(confidence, hits, threshold):
    answered = [
        hit for sure, hit in zip(confidence.tolist(), hits.tolist(), strict=True) if sure >= threshold
    ]
    return [len(answered) / len(hits), np.mean(answered)]


def trains(network, optimizer):
    held = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    return np.bool_(set(held) == set(network.parameters()))


def twice(layer, inputs):
    with torch.random.fork_rng():
        first = layer(inputs)
    return torch.stack([first, layer(inputs)])


def with_weight_decay(parser):
    def not_negative(text):
        value = float(text)
        if value < 0:
            raise ValueError(text)
        return value

    parser.add_argument("--weight-decay", "--wd", type=not_negative, default="0")
    return parser


def epoch_above(path, accuracy):
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return np.int64(next(row[0] for row in rows if row[7] and float(row[7]) > accuracy))


def chance_of(first, second):
    cards, size = [*first, *second], len(first)
    hands = [[card for i, card in enumerate(cards) if bits >> i & 1] for bits in range(2 ** len(cards))]
    gaps = [abs(2 * sum(hand) - sum(cards)) for hand in hands if len(hand) == size]
    return torch.tensor([gap >= abs(sum(first) - sum(second)) for gap in gaps]).double().mean()


def choose(accuracy, multiply_adds, budget):
    ranked = sorted(accuracy, key=accuracy.get, reverse=True)
    return next(name for name in ranked if multiply_adds[name] <= budget)


def config_of(network, optimizer, loader):
    return {
        "network": network.__class__.__name__,
        "parameters": torch.tensor(sum(len(tensor.flatten()) for tensor in network.parameters())),
        "optimizer": optimizer.__class__.__name__,
        "lr": np.float64(optimizer.param_groups[-1]["lr"]),
        "batch_size": loader.batch_sampler.batch_size,
        "train_images": len(loader.sampler),
        "note": "more than was asked for",
    }


def summary(path):
    last = {}
    for line in path.read_text().splitlines()[1:]:
        at, name, value = line.split(",")
        last[name] = max(last.get(name, (-1, 0)), (int(at), np.float64(value)))
    return {name: value for name, (_, value) in last.items()}


def to_all(*logs):
    return lambda values, step: [log(values, step) for log in logs]


def smoothed_targets(labels, smoothing):
    targets = torch.full((len(labels), 10), smoothing / 10, dtype=torch.float64)
    targets[torch.arange(len(labels)), labels] += 1 - smoothing
    return targets


# Answers that are right and not spelt as the notebook's solution, or of another type.
RIGHT = {
    "share_of_zeros": [0.8088, 0.809, [0.8088], np.float32(0.8088)],
    "mean_of_threes": [threes().double().mean(dim=0), threes().numpy().mean(axis=0)],
    "undo": [undo],
    "most_common_mistake": [[5, 3], torch.tensor([5, 3]), np.array([5, 3])],
    "output_size": [lambda size, kernel, stride: torch.tensor(len(range(0, size - kernel + 1, stride)))],
    "variant_parameters": [45_360.0, np.int64(45_360), torch.tensor(45_360)],
    "softmax": [lambda logits: F.softmax(logits, dim=-1).numpy()],
    "mended": [mended],
    "gradient_by_hand": [[-9, -3], np.array([-9.0, -3.0]), (torch.tensor(-9.0), -3.0004)],
    "step": [step],
    "repaired": [repaired],
    "smooth_exponentially": [smooth],
    "epoch_to_keep": [keep],
    "name_the_illness": [{"a": "Not shuffled", "b": "rate_too_low", "c": "OVERFITTING "}],
    "precision": [lambda matrix: [float(matrix[d, d]) / int(matrix[:, d].sum()) for d in range(10)]],
    "top_k": [top_k],
    "answer_or_pass": [answer_or_pass],
    "trains": [trains, lambda *both: torch.tensor(bool(trains(*both)))],
    "repeats_the_mask": [twice],
    "place_in_the_data": [lambda batches: [np.int64(batches // 938 + 1), torch.tensor(batches % 938 * 64)]],
    "with_weight_decay": [with_weight_decay],
    "rows_of_ten_epochs": [951.0, np.int64(951), torch.tensor(951)],
    "epoch_above": [epoch_above],
    "layer_cost": [[4_640.0, 460_800.0], np.array([4_640, 460_800])],
    "chance_of": [chance_of],
    "choose": [choose],
    "config_of": [config_of],
    "summary": [summary],
    "to_all": [to_all],
    "times_as_fast": [lambda share, factor: np.float64(1 / (1 + share * (1 / factor - 1)))],
    "conv2_flops": [2_457_600.0, np.int64(2_457_600), torch.tensor(2_457_600)],
    "smoothed_targets": [smoothed_targets],
    "global_mean": [lambda means, counts: np.average(means, weights=counts)],
    "block": [
        lambda indices, rank, world: np.array(indices[: len(indices) // world * world]).reshape(world, -1)[
            rank
        ]
    ],
    "fastest": [
        lambda compute, latency, counts: np.float64(min(counts, key=lambda p: compute / p + 2 * p * latency))
    ],
}


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_check_has_cases(lesson):
    assert set(cases_of(lesson)) == set(checks_of(lesson))
    assert set(checks_of(lesson)) <= set(RIGHT)
    for name, case in cases_of(lesson).items():
        assert len(case["wrong"]) >= 2, f"{name} is tried with fewer than two wrong answers"


@pytest.mark.parametrize(("lesson", "name", "stub"), STUBS)
def test_stub_is_not_yet(lesson, name, stub, capsys):
    checks_of(lesson)[name](stub)
    assert capsys.readouterr().out.startswith("Not yet")


@pytest.mark.parametrize(("lesson", "name", "stub"), [case for case in STUBS if callable(case.values[2])])
def test_a_function_that_prints_its_answer_is_told_to_return_it(lesson, name, stub, capsys):
    checks_of(lesson)[name](lambda *arguments, **named: print("the answer"))
    assert capsys.readouterr().out == f"Not quite, because {PRINTED}\n"


@pytest.mark.parametrize(("lesson", "name"), CHECKS)
def test_right_answers_of_other_kinds(lesson, name, capsys):
    for answer in RIGHT[name]:
        checks_of(lesson)[name](answer)
        assert capsys.readouterr().out.startswith("Right."), answer


@pytest.mark.parametrize(("lesson", "name", "answer", "fragment"), WRONG)
def test_wrong_answer_is_told_why(lesson, name, answer, fragment, capsys):
    checks_of(lesson)[name](answer)
    said = capsys.readouterr().out
    assert said.startswith("Not quite, because ")
    assert fragment in said
    assert said.count("\n") == 1, "a verdict is one line"


@pytest.mark.parametrize(("lesson", "name", "stub"), STUBS)
def test_nonsense_is_refused_in_one_line(lesson, name, stub, capsys):
    def fails(*arguments):
        raise RuntimeError("several\nlines")

    answers = [float("nan"), "", [], {}, object()]
    if callable(stub):
        answers = [fails, *(lambda *arguments, answer=answer: answer for answer in answers)]
    for answer in answers:
        checks_of(lesson)[name](answer)
        said = capsys.readouterr().out
        assert said.startswith("Not quite, because ")
        assert said.count("\n") == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=number)
def test_stored_verdicts(path):
    """Every check stands below one stub, where it says 'Not yet', and one solution, where it says 'Right'."""
    notebook = read(path)
    solutions = tagged(notebook, "solution")
    for cell in solutions:
        assert printed(cell).startswith("Right."), cell.source
    for name in checks_of(number(path)):
        using = [
            cell for cell in notebook.cells if cell.cell_type == "code" and f"checks.{name}(" in cell.source
        ]
        verdicts = [printed(cell).split(" ")[0] for cell in using]
        assert verdicts == ["Not", "Right."], (
            f"checks.{name} stands below one stub and one solution: {verdicts}"
        )
