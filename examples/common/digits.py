"""The handwritten digits of scikit-learn: 1,797 scans of 8x8 pixels, with 17 levels of grey."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from common.scans import Scans


def load_digit_scans() -> Scans:
    """Holds out 450 digits, the same ones at every call, in equal shares by class."""
    digits = load_digits()
    scans = (digits.images / digits.images.max()).astype("float32")
    return Scans(*train_test_split(scans, digits.target, stratify=digits.target, random_state=0))
