"""Names that a caller gives to inputs and outputs; see test_signature.py for those of models."""

import pytest

from keras_bin.networks.tensor_names import renamed

NAMES = ["keras_tensor", "mask"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, NAMES),
        (["image", "mask"], ["image", "mask"]),
        (("mask", "keras_tensor"), ["mask", "keras_tensor"]),
        ({"keras_tensor": "image"}, ["image", "mask"]),
        ({"mask": "keras_tensor", "keras_tensor": "mask"}, ["mask", "keras_tensor"]),
        ({}, NAMES),
    ],
    ids=["none", "list", "tuple", "dict", "swapped", "empty_dict"],
)
def test_given_names_take_the_place_of_others(given, expected):
    assert renamed(NAMES, given, "input") == expected


@pytest.mark.parametrize("given", ["image", {"image"}, 3, map(str, NAMES)], ids=type)
def test_what_is_no_list_or_dict_is_refused(given):
    with pytest.raises(TypeError, match=r"`input_names` must be a list.*Received: input_names="):
        renamed(NAMES, given, "input")


@pytest.mark.parametrize("given", [[], ["image"], ["a", "b", "c"]])
def test_wrong_number_is_refused(given):
    with pytest.raises(ValueError, match=r"a name for each input.*'mask'\].*Received: input_nam"):
        renamed(NAMES, given, "input")


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"'mask'\]\. Received: .*\['image'\] are unknown"):
        renamed(NAMES, {"image": "mask"}, "input")


@pytest.mark.parametrize("given", [["a", "a"], {"keras_tensor": "mask"}], ids=["list", "dict"])
@pytest.mark.parametrize("side", ["input", "output"])
def test_doubled_name_is_refused(given, side):
    with pytest.raises(ValueError, match=rf"of {side}s must differ\. Received: {side}_names="):
        renamed(NAMES, given, side)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a-b", "é", "1", "_1", "class", "self", "a:0", None, 3, b"a"], ids=repr
)
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_name_that_no_argument_can_have_is_refused(name, kind):
    given = [name, "mask"] if kind == "list" else {"keras_tensor": name}
    with pytest.raises(ValueError, match=r"of inputs must be text of ASCII.*Received: input_names"):
        renamed(NAMES, given, "input")


@pytest.mark.parametrize("name", ["", "\n", "a\0", "\udcff", None, 3], ids=ascii)
def test_output_needs_printable_text(name):
    with pytest.raises(ValueError, match=r"of outputs must be printable text.*Received: output"):
        renamed(NAMES, [name, "mask"], "output")


@pytest.mark.parametrize("name", ["a b", "block/conv", "größe", "a:0", "self"])
def test_outputs_may_have_names_that_inputs_may_not(name):
    assert renamed(NAMES, [name, "mask"], "output") == [name, "mask"]
