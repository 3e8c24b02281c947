"""From any network of the course's kinds of layer to a list of layers, for ``network.js``.

The network is run once on a blank image, and PyTorch records the operations that it comes down to, however
they were written: ``F.relu(x)``, ``nn.ReLU()(x)`` and ``x.relu()`` are one.
"""

import copy
import operator

import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ..errors import ReaderError

aten = torch.ops.aten


class PageError(ReaderError):
    """A network cannot be shown in a page, or the page cannot be written; the text says why."""


def read_layers(network) -> tuple[list[dict], np.ndarray]:
    """Return the layers of a network, in order, and all their parameters, float32, one after the other.

    A layer has its ``kind``, the ``shape`` of its output, the ``name`` of the module whose weights it uses,
    if any, and the ``sizes`` of its arrays of parameters. The network is read in evaluation mode.

    Raises PageError when it takes anything but (B, 1, 28, 28), does not return ten numbers, uses an operation
    that the page does not know, or is not one layer after the other.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    try:
        with torch.no_grad():
            traced = make_fx(network)(torch.zeros(1, 1, 28, 28))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise PageError(
            f"{type(network).__name__} does not run on an image (1, 1, 28, 28): {reason}"
        ) from None
    return _Reader(network, traced).read()


class _Reader:
    """Goes through the operations of one network."""

    def __init__(self, network, traced) -> None:
        self.traced = traced
        self.names = {id(value): name.rpartition(".")[0] for name, value in network.named_parameters()}
        self.title = type(network).__name__
        self.layers, self.numbers = [], []

    def read(self):
        for node in self.traced.graph.nodes:
            if node.op == "placeholder":
                self.last = node
            elif node.op == "call_function":
                self.add(node)
            elif node.op == "output":
                self.require_last(node.args[0])
        if not self.layers or self.layers[-1]["shape"] != [10]:
            raise PageError(f"{self.title} does not return ten numbers for an image, which the page needs")
        return self.layers, np.concatenate([*self.numbers, np.empty(0, np.float32)])

    def add(self, node) -> None:
        if node.target is operator.getitem:
            if node.args[0] is self.last and node.args[1] == 0:  # of what a pooling or batch norm returns
                self.last = node
                self.layers[-1]["shape"] = _shape(node)
            return
        if node.target in (aten.t.default, aten.empty.memory_format):
            return  # of weights, or of nothing; the next operation looks through it
        read = _OPERATIONS.get(node.target)
        if read is None:
            name = node.target.overloadpacket.__name__
            raise PageError(
                f"{self.title} uses {name}, which the page does not know; it knows "
                "convolution, linear, pooling, batch norm, dropout, flatten, ReLU, tanh, sigmoid, log_softmax"
            )
        layer = read(self, node)
        self.last = node
        if layer is not None:
            self.layers.append({"name": "", "sizes": [], "shape": _shape(node), **layer})

    def require_last(self, argument) -> None:
        """Raise PageError unless ``argument`` is what the operation before made."""
        if argument is not self.last:
            raise PageError(f"{self.title} is not one layer after the other: the page cannot show branches")

    def tensor(self, node) -> torch.Tensor:
        """Return the parameter or buffer that a node stands for."""
        if node.target is aten.t.default:  # transposed, to be multiplied with
            node = node.args[0]
        if node.op != "get_attr":
            raise PageError(f"{self.title} multiplies two computed things, which the page cannot show")
        return getattr(self.traced, node.target)

    def keep(self, weight, bias, outputs: int) -> dict:
        """Keep a layer's two arrays of parameters; return what is said of them."""
        arrays = [self.tensor(weight), torch.zeros(outputs) if bias is None else self.tensor(bias)]
        name = self.names.get(id(arrays[0]), "")
        return {"name": name, "sizes": self.keep_arrays(arrays)}

    def keep_arrays(self, arrays) -> list[int]:
        flat = [array.detach().cpu().float().numpy().ravel() for array in arrays]
        self.numbers += flat
        return [array.size for array in flat]


def _shape(node) -> list[int]:
    value = node.meta["val"]
    return list(value[0].shape if isinstance(value, tuple | list) else value.shape)[1:]


def _pair(value) -> list[int]:
    return [value, value] if isinstance(value, int) else [*value] * (1 if len(value) == 2 else 2)


def _convolution(reader, node):
    image, weight, bias, stride, padding, dilation, transposed, _, groups = node.args
    reader.require_last(image)
    if transposed:
        raise PageError(f"{reader.title} uses a transposed convolution, which the page does not know")
    outputs, _, *kernel = reader.tensor(weight).shape
    pairs = {"stride": _pair(stride), "padding": _pair(padding), "dilation": _pair(dilation)}
    kept = reader.keep(weight, bias, outputs)
    return {"kind": "conv", "kernel": kernel, **pairs, "groups": groups, **kept}


def _linear(reader, node):
    bias, image, weight = node.args if len(node.args) == 3 else (None, *node.args)
    reader.require_last(image)
    if weight.target is not aten.t.default:  # a linear layer's weights are (outputs, inputs)
        raise PageError(f"{reader.title} multiplies by a matrix that is no linear layer's")
    return {"kind": "linear", **reader.keep(weight, bias, len(reader.tensor(weight)))}


def _max_pool(reader, node):
    image, kernel, *rest = node.args
    stride, padding, dilation = [*rest, *[[], 0, 1][len(rest) :]][:3]
    return _pool(reader, image, kernel, stride, padding=_pair(padding), dilation=_pair(dilation), max=True)


def _mean_pool(reader, node):
    image, kernel, *rest = node.args
    if (any(rest[1:2]) and _pair(rest[1]) != [0, 0]) or any(rest[2:3]):
        raise PageError(f"{reader.title} pads before a mean pooling, which the page does not know")
    stride = rest[0] if rest else []
    return _pool(reader, image, kernel, stride, padding=[0, 0], dilation=[1, 1], max=False)


def _pool(reader, image, kernel, stride, **others):
    reader.require_last(image)
    return {"kind": "pool", "kernel": _pair(kernel), "stride": _pair(stride or kernel), **others}


def _batch_norm(reader, node):
    image, weight, bias, mean, variance, training, _, epsilon = node.args
    reader.require_last(image)
    if training or mean is None:
        raise PageError(
            f"{reader.title} normalises each batch by itself, which the page cannot do for one image"
        )
    mean, variance = reader.tensor(mean).double(), reader.tensor(variance).double()
    factor = (variance + epsilon).rsqrt() * (1 if weight is None else reader.tensor(weight).double())
    shift = (0 if bias is None else reader.tensor(bias).double()) - mean * factor
    name = "" if weight is None else reader.names.get(id(reader.tensor(weight)), "")
    return {"kind": "scale", "name": name, "sizes": reader.keep_arrays([factor, shift])}


def _simple(kind: str | None):
    """Return the reader of an operation without parameters; of None, one that changes nothing."""

    def read(reader, node):
        reader.require_last(node.args[0])
        return kind and {"kind": kind}

    return read


_OPERATIONS = {
    aten.convolution.default: _convolution,
    aten.addmm.default: _linear,
    aten.mm.default: _linear,
    aten.max_pool2d_with_indices.default: _max_pool,
    aten.avg_pool2d.default: _mean_pool,
    aten.native_batch_norm.default: _batch_norm,
    aten.relu.default: _simple("relu"),
    aten.relu_.default: _simple("relu"),
    aten.tanh.default: _simple("tanh"),
    aten.sigmoid.default: _simple("sigmoid"),
    aten.view.default: _simple("flatten"),
    aten._unsafe_view.default: _simple("flatten"),
    aten._log_softmax.default: _simple("log_softmax"),
    aten.alias.default: _simple(None),
    aten.clone.default: _simple(None),
    aten.detach.default: _simple(None),
}
