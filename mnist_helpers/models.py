"""The networks of the course. Each takes normalised images and returns logits."""

from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Two convolutions, two linear layers, two dropouts: 21,840 parameters. Written out in lesson 2.

    Layers and sizes are those of the tutorial this course grew from (after G. Koehler's "MNIST Handwritten
    Digit Recognition in PyTorch"). It returned ``log_softmax``; this network returns logits, to be
    used with ``cross_entropy``, which is the same loss (lesson 2 shows it on numbers).

    ``forward`` takes float32 ``(B, 1, 28, 28)``, normalised, and returns float32 logits ``(B, 10)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc1_drop = nn.Dropout()
        self.fc2 = nn.Linear(50, 10)

    def forward(self, images):
        x = F.relu(F.max_pool2d(self.conv1(images), 2))  # (B, 10, 12, 12)
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))  # (B, 20, 4, 4)
        x = x.flatten(start_dim=1)  # (B, 320)
        x = self.fc1_drop(F.relu(self.fc1(x)))  # (B, 50)
        return self.fc2(x)  # (B, 10)


class ThreeLayerNet(nn.Module):
    """Three linear layers on the flat image, no convolution: 266,610 parameters. Written out in lesson 8.

    The 300 and 100 hidden units are those of the three-layer network in LeCun, Bottou, Bengio and Haffner,
    "Gradient-based learning applied to document recognition", 1998; here with ReLU and logits.

    ``forward`` takes float32 ``(B, 1, 28, 28)``, normalised, and returns float32 logits ``(B, 10)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, 10)

    def forward(self, images):
        x = images.flatten(start_dim=1)  # (B, 784)
        x = F.relu(self.fc1(x))  # (B, 300)
        x = F.relu(self.fc2(x))  # (B, 100)
        return self.fc3(x)  # (B, 10)


class WideNet(nn.Module):
    """Two wide convolutions, one pooling, two linear layers: 1,199,882 parameters. Written out in lesson 8.

    Layers and sizes are those of a well-known PyTorch tutorial. Its second dropout was ``Dropout2d`` on flat
    input, where there are no channels to drop; here it is ``Dropout``, as lesson 8 explains.

    ``forward`` takes float32 ``(B, 1, 28, 28)``, normalised, and returns float32 logits ``(B, 10)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.conv2_drop = nn.Dropout2d(0.25)
        self.fc1 = nn.Linear(9216, 128)
        self.fc1_drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, images):
        x = F.relu(self.conv1(images))  # (B, 32, 26, 26)
        x = F.relu(self.conv2(x))  # (B, 64, 24, 24)
        x = self.conv2_drop(F.max_pool2d(x, 2))  # (B, 64, 12, 12)
        x = x.flatten(start_dim=1)  # (B, 9216)
        x = self.fc1_drop(F.relu(self.fc1(x)))  # (B, 128)
        return self.fc2(x)  # (B, 10)


class ConvNet(nn.Module):
    """Two convolutions, one pooling, two linear layers: 1,007,590 parameters. Written out in lesson 8.

    Layers and sizes are those of SwanLab's MNIST example (lesson 9), which returned ``log_softmax`` and fed
    it to ``CrossEntropyLoss``, a second softmax; this one returns logits.

    ``forward`` takes float32 ``(B, 1, 28, 28)``, normalised, and returns float32 logits ``(B, 10)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=3)
        self.fc1 = nn.Linear(2000, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)  # (B, 10, 12, 12)
        x = F.relu(self.conv2(x))  # (B, 20, 10, 10)
        x = x.flatten(start_dim=1)  # (B, 2000)
        x = F.relu(self.fc1(x))  # (B, 500)
        return self.fc2(x)  # (B, 10)


class FastNet(nn.Module):
    """Three convolutions with batch norm, one linear layer: 29,434 parameters. Written out in lesson 10.

    Made to be trained to 99 % in about a second (``mnist_helpers.recipes.FAST`` says how). The first layer
    moves on by two pixels, so that nothing is computed that a pooling would throw away. There is no dropout,
    because each image is seen at most once. ``norm=nn.Identity`` leaves batch norm out.

    ``forward`` takes float32 ``(B, 1, 28, 28)``, normalised, and returns float32 logits ``(B, 10)``.
    """

    def __init__(self, norm=nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5, stride=2, bias=False)
        self.norm1 = norm(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, bias=False)
        self.norm2 = norm(32)
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, bias=False)
        self.norm3 = norm(64)
        self.fc = nn.Linear(576, 10)

    def forward(self, images):
        x = F.relu(self.norm1(self.conv1(images)))  # (B, 16, 12, 12)
        x = F.relu(self.norm2(F.max_pool2d(self.conv2(x), 2)))  # (B, 32, 5, 5)
        x = F.relu(self.norm3(self.conv3(x)))  # (B, 64, 3, 3)
        return self.fc(x.flatten(start_dim=1))  # (B, 10)
