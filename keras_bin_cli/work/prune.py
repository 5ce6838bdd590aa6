"""The work of `keras-bin prune`."""

from keras_bin.export import prune
from keras_bin.export.saved_models.versions import versions
from keras_bin.stages import begin_stage


def run(options, output):
    """Removes old versions, and shows which are gone and which are left."""
    begin_stage("prune")
    removed = prune(options.base, options.keep)
    left = versions(options.base)
    output.show(f"{options.base}: versions removed: {_names(removed)}; left: {_names(left)}")
    output.data.update(
        base=str(options.base), removed=list(map(str, removed)), left=list(map(str, left))
    )


def _names(paths):
    return ", ".join(path.name for path in paths) or "none"
