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
