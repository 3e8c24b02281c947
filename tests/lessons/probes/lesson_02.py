"""What lesson 2 leaves in its kernel."""

import math

FIGURES = 6

PROBE = """
import json
print(json.dumps({
    "convolution": [list(by_torch.shape), torch.allclose(across, by_torch), *map(round, strongest)],
    "moved": same_but_moved,
    "layer": [list(layer.weight.shape), list(maps.shape), layer.weight.abs().max().item()],
    "maps": [list(edges.shape), list(rectified.shape), list(pooled.shape), rectified.min().item()],
    "by_one_pixel": [full, small_map],
    "dropped": [dropped.unique().tolist(), dropped.mean().item(), drop.training],
    "by_pixel": [(result == 0).float().mean().item() for _, result in rows],
    "shapes": shapes,
    "walked": [list(noise.shape), list(x.shape)],
    "written_out": [Net.__module__, net.training],
    "on_paper": on_paper,
    "parameters": sum(parameter.numel() for parameter in net.parameters()),
    "probabilities": probabilities.tolist(),
    "sum": by_hand.sum().item(),
    "loss": [by_hand_loss.item(), by_library.item()],
    "three_ways": [one_step.item(), two_steps.item(), picked.item()],
    "losses": losses,
    "accuracies": accuracies,
    "three_images": list(net(images[:3]).shape),
    "message": message,
    "graph": training_steps,
    "in_evaluation": evaluation_steps,
    "recorded": [recorded, unrecorded],
    "gradient": net.conv1.weight.grad is None,
    "doublings": doublings,
    "labels": [axis.get_xlabel(), axis.get_ylabel()],
}))
"""


def verify(values):
    assert values["convolution"] == [[26, 26], True, 757, 756]
    assert values["moved"] is True
    assert values["layer"][:2] == [[10, 1, 5, 5], [10, 24, 24]]
    assert 0.15 < values["layer"][2] <= 0.2
    assert values["maps"] == [[1, 26, 26], [1, 26, 26], [1, 13, 13], 0.0]
    full, small = values["by_one_pixel"]
    assert 0 < small < 0.8 * full, "pooling should soften a move by one pixel"
    assert values["dropped"][0] == [0.0, 2.0]
    assert abs(values["dropped"][1] - 1) < 0.01
    assert values["dropped"][2] is False
    off, by_pixel, _ = values["by_pixel"]
    assert by_pixel > off, "dropout in the figure drops nothing"

    assert values["shapes"][0] == ["images", [1, 28, 28]]
    assert [shape for name, shape in values["shapes"] if name == "pool"] == [[10, 12, 12], [20, 4, 4]]
    assert values["walked"] == [[1, 10], [64, 10]]
    assert values["written_out"] == ["__main__", False]
    assert values["on_paper"] == {"conv1": 260, "conv2": 5020, "fc1": 16050, "fc2": 510}
    assert values["parameters"] == 21_840

    powers = [math.e**score for score in (2, 1, 0)]
    assert all(
        abs(p - power / sum(powers)) < 1e-5 for p, power in zip(values["probabilities"], powers, strict=True)
    )
    assert abs(values["sum"] - 1) < 1e-5
    for losses in (values["loss"], values["three_ways"]):
        assert max(losses) - min(losses) < 1e-5
    assert abs(values["three_ways"][0] - math.log(10)) < 0.1
    assert len(values["losses"]) == len(values["accuracies"]) == 5
    assert all(abs(loss - math.log(10)) < 0.1 for loss in values["losses"])
    assert all(0.01 < share < 0.3 for share in values["accuracies"])

    assert values["three_images"] == [3, 10]
    assert "64x500" in values["message"]
    assert values["graph"][:2] == ["NllLossBackward0", "LogSoftmaxBackward0"]
    assert values["graph"][-1].startswith("Convolution")
    assert len(values["graph"]) == len(values["in_evaluation"]) + 2
    assert "MulBackward0" not in values["in_evaluation"]
    assert values["recorded"][0] > 1e6
    assert values["recorded"][1] == 0
    assert values["gradient"] is True
    assert len(values["doublings"]) == 12
    assert all(1 <= rounds <= 12 for rounds in values["doublings"])
    assert all(values["labels"])
