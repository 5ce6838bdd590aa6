"""All networks, by name."""

from benchmarks.zoo import classifiers, detectors, kerashub, people, science
from benchmarks.zoo.net import Net

NETS: dict[str, Net] = dict(
    sorted(
        {
            **classifiers.NETS,
            **detectors.NETS,
            **kerashub.NETS,
            **people.NETS,
            **science.NETS,
        }.items()
    )
)
