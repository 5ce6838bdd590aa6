"""The nets of the paper's Table 2: as many parameters as their authors', shapes, and names."""

import functools

import keras
import numpy as np
import pytest

import keras_bin
from common.classifiers import FAMILIES, build_classifier
from common.norms import NORMS

# Counted from the definitions in https://github.com/hyseob/Batch-Instance-Normalization
# (ResNet), in https://github.com/bearpaw/pytorch-classification, which those build upon (the
# rest; AlexNet there has no normalization, whose 1,152 gammas and betas are added here), and in
# its commit 6e1d46e (PreResNet, with bottlenecks from depth 44 as of ResNet), by PyTorch, for
# pictures of 32x32 pixels: with 10 and with 100 classes, and the nets of Table 2 with 100.
PARAMETERS = {
    "resnet-8": (78_042, 83_892),
    "resnet-20": (272_474, 278_324),
    "resnet-56": (869_530, 892_660),
    "preresnet-20": (272_282, 278_132),
    "preresnet-44": (683_162, 706_292),
    "wrn-10-2": (303_706, 315_316),
    "resnext-11-4x64": (5_842_762, 5_935_012),
    "densenet-bc-22-12": (71_686, 77_986),
}
PARAMETERS_OF_TABLE_2 = {
    "alexnet": 2_495_396 + 2 * 1152,
    "vgg-19": 20_086_692,
    "resnet-110": 1_727_284,
    "preresnet-110": 1_726_388,
    "wrn-28-10": 36_536_884,
    "resnext-29-8x64": 34_518_948,
    "densenet-bc-100-12": 800_032,
}
SMALL = ("resnet-8", "resnet-44", "preresnet-8", "wrn-10-1", "resnext-11-2x4", "densenet-bc-10-4")


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def build(name, classes):
    return build_classifier(name, NORMS["BN"], (32, 32, 3), classes)


def parameters(name, classes):
    return count(build(name, classes).trainable_weights)


@functools.cache
def small_net(name, norm="BN"):
    """A net that several tests look at, of the smallest pictures that it takes."""
    side = 8 if name in SMALL else 32
    return build_classifier(name, NORMS[norm], (side, side, 3), 4)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_authors(name):
    assert tuple(parameters(name, classes) for classes in (10, 100)) == PARAMETERS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS_OF_TABLE_2)
def test_nets_of_table_2_have_the_parameters_of_the_authors(name):
    assert parameters(name, 100) == PARAMETERS_OF_TABLE_2[name]


def test_every_family_is_counted():
    assert {family.example for family in FAMILIES.values()} <= PARAMETERS_OF_TABLE_2.keys()


@pytest.mark.parametrize("name", [*SMALL, "alexnet", "vgg-11"])
def test_bin_adds_one_gate_per_channel(name):
    bn, bin_ = (small_net(name, norm) for norm in ("BN", "BIN"))
    layers = [x for x in bn.layers if isinstance(x, keras.layers.BatchNormalization)]
    channels = sum(layer.gamma.shape[0] for layer in layers)
    assert count(keras_bin.rho_weights(bin_)) == channels > 0
    assert count(bin_.trainable_weights) == count(bn.trainable_weights) + channels


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SMALL)
def test_every_net_fits_every_norm_and_ends_in_logits(name, norm):
    model = small_net(name, norm)
    assert isinstance(model, NORMS[norm].model_class)
    assert model(np.zeros((2, 8, 8, 3), "float32")).shape == (2, 4)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("resnet-8", keras.layers.Add, [(64, 32, 16), (32, 16, 32), (16, 8, 64)]),
        ("preresnet-8", keras.layers.Add, [(64, 32, 16), (32, 16, 32), (16, 8, 64)]),
        ("wrn-10-2", keras.layers.Add, [(64, 32, 32), (32, 16, 64), (16, 8, 128)]),
        ("resnext-11-2x4", keras.layers.Add, [(64, 32, 256), (32, 16, 512), (16, 8, 1024)]),
        ("densenet-bc-10-4", keras.layers.Concatenate, [(64, 32, 12), (32, 16, 10), (16, 8, 9)]),
        ("alexnet", keras.layers.MaxPooling2D, [(8, 4, 64), (4, 2, 192), (2, 1, 256)]),
    ],
)
def test_stages_halve_the_picture(name, kind, expected):
    model = build_classifier(name, NORMS["BN"], (64, 32, 3), 10)
    found = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kind)]
    assert found == expected


def test_blocks_before_44_count_two_convolutions_and_three_from_there():
    convolutions = {
        depth: [layer.kernel_size for layer in net.layers if isinstance(layer, keras.layers.Conv2D)]
        for depth, net in ((38, build("resnet-38", 4)), (44, small_net("resnet-44")))
    }
    assert convolutions[38].count((1, 1)) == 2
    assert convolutions[38].count((3, 3)) == 1 + 3 * 6 * 2
    assert convolutions[44].count((1, 1)) == 3 + 3 * 7 * 2
    assert convolutions[44].count((3, 3)) == 1 + 3 * 7


def test_preactivated_nets_end_activated():
    for name in ("preresnet-8", "wrn-10-1", "densenet-bc-10-4"):
        assert isinstance(small_net(name).layers[-3], keras.layers.ReLU)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("resnet-9", r"6n \+ 2: 8, 14, 20.*depth=9"),
        ("resnet-2", r"6n \+ 2: 8, 14, 20.*depth=2"),
        ("preresnet-10", r"6n \+ 2: 8, 14, 20.*depth=10"),
        ("wrn-20-2", r"6n \+ 4: 10, 16, 22.*depth=20"),
        ("resnext-14-8x64", r"9n \+ 2: 11, 20, 29.*depth=14"),
        ("densenet-bc-101-12", r"6n \+ 4: 10, 16, 22.*depth=101"),
        ("vgg-12", r"11, 13, 16, 19.*depth=12"),
    ],
)
def test_depths_that_a_family_does_not_have_are_refused(name, rule):
    with pytest.raises(ValueError, match=rule):
        build_classifier(name, NORMS["BN"], (32, 32, 3), 10)


@pytest.mark.parametrize(
    "name", ["", "resnet", "resnet-", "resnet-8-8", "lenet-5", "wrn-28", "alexnet-8", "ResNet-8"]
)
def test_names_of_no_net_are_refused(name):
    with pytest.raises(ValueError, match=f"wrn-28-10, resnext-29-8x64.*Received: '{name}'"):
        build_classifier(name, NORMS["BN"], (32, 32, 3), 10)


@pytest.mark.parametrize("name", ["alexnet", "vgg-19"])
def test_pictures_too_small_for_a_net_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} needs pictures of 32x32.*Received: 8x40"):
        build_classifier(name, NORMS["BN"], (8, 40, 3), 10)
