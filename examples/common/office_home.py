"""Office-Home: everyday objects of 65 classes in four domains, read from its folders.

Venkateswara et al. 2017, https://arxiv.org/abs/1706.07522. The data set is not part of this
project. Its authors provide it: https://www.hemanthdv.org/officeHomeDataset.html.
"""

from pathlib import Path

import numpy as np
from PIL import ImageOps
from rich.progress import track

from common.picture_files import read_rgb

DOMAINS = ("Art", "Clipart", "Product", "Real World")
SUFFIXES = {".jpg", ".jpeg", ".png"}


def find_pictures(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """Lists the pictures by domain and class, in order.

    Args:
        folder: holds a folder for each of `DOMAINS`, each with a folder per class.

    Raises:
        ValueError: a domain is missing, the domains differ in their classes, or a class has no
            picture in a domain.
    """
    missing = [domain for domain in DOMAINS if not (folder / domain).is_dir()]
    if missing:
        raise ValueError(
            f"An Office-Home folder must hold the folders {', '.join(DOMAINS)}; give the folder "
            f"that they lie in. Received: {str(folder)!r}, without {', '.join(missing)}"
        )
    pictures = {
        domain: {
            path.name: sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            for path in sorted((folder / domain).iterdir())
            if path.is_dir()
        }
        for domain in DOMAINS
    }
    first = pictures[DOMAINS[0]]
    for domain, classes in pictures.items():
        if classes.keys() != first.keys():
            raise ValueError(
                "All domains must have the same classes; complete the data set. Received: "
                f"{', '.join(sorted(classes.keys() ^ first.keys()))} only in {DOMAINS[0]} "
                f"or only in {domain}"
            )
        empty = [name for name, files in classes.items() if not files]
        if empty or not classes:
            raise ValueError(
                f"Every class must have pictures ({', '.join(sorted(SUFFIXES))}) in every domain; "
                f"complete the data set. Received: {str(folder / domain)!r}, with none of "
                f"{', '.join(empty) or 'any class'}"
            )
    return pictures


def read_pictures(
    classes: dict[str, list[Path]], size: int, domain: str
) -> tuple[np.ndarray, np.ndarray]:
    """Reads all pictures of a domain, and shows the progress.

    Args:
        classes: the files by class, from `find_pictures`.
        size: height and width that pictures are resized to, keeping their centre.
        domain: shown beside the bar.

    Returns:
        RGB pictures of shape `(n, size, size, 3)`, from 0 to 1, float32, and the position of
        the class of each, shape `(n,)`.

    Raises:
        ValueError: a file is not as `read_rgb` wants it.
    """
    files = [(file, label) for label, name in enumerate(classes) for file in classes[name]]
    pictures = np.empty((len(files), size, size, 3), "float32")
    for place, (file, _) in enumerate(track(files, f"reading {domain}", transient=True)):
        pictures[place] = np.asarray(ImageOps.fit(read_rgb(file), (size, size)), "float32") / 255
    return pictures, np.array([label for _, label in files])
