"""Publishes 20 versions in a folder as soon as it reads a line; run by test_publish.py."""

import sys
from pathlib import Path

from keras_bin.export.files.publish import staging
from keras_bin.export.saved_models.versions import publish_version


def main(folder, owner):
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        with staging(folder) as staged:
            (staged / "model").mkdir()
            (staged / "model" / "owner").write_text(f"{owner} {number}")
            print(publish_version(staged / "model", folder, None, False).name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
