"""Publishes 20 versions of each owner in a folder; run by test_publish.py.

The owners publish at the same time, each in a fork, as importing takes seconds.
"""

import os
import sys
from pathlib import Path

from keras_bin.export.files.publish import staging
from keras_bin.export.saved_models.versions import publish_version


def publish(folder, owner):
    for number in range(20):
        with staging(folder) as staged:
            (staged / "model").mkdir()
            (staged / "model" / "owner").write_text(f"{owner} {number}")
            print(owner, publish_version(staged / "model", folder, None, False).name, flush=True)


def main(folder, *owners):
    children = []
    for owner in owners:
        child = os.fork()
        if child == 0:
            publish(Path(folder), owner)
            os._exit(0)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(statuses))


if __name__ == "__main__":
    main(*sys.argv[1:])
