#!/usr/bin/env bash
# Guess: `import onnxruntime` only reads; a program that cleans up after itself leaves the temporary folder empty.
# Seen, onnxruntime 1.32.0 on Linux (x86_64): the import writes `.ses` there, with 51 bytes: a time and a UUID, which
#   the next import keeps. `disable_telemetry_events()` right after the import does not remove it.
#   onnxruntime 1.20.1 writes nothing.
# Fails if either changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 1.20.1 1.32.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "onnxruntime==$version" numpy==2.2.6
    mkdir "$folder/tmp-$version"
    TMPDIR="$folder/tmp-$version" "$folder/$version/bin/python" -c '
import onnxruntime
onnxruntime.disable_telemetry_events()'
    echo "onnxruntime $version: $(ls -A "$folder/tmp-$version")"
done
cat "$folder/tmp-1.32.0/.ses"
[ -z "$(ls -A "$folder/tmp-1.20.1")" ]
[ "$(ls -A "$folder/tmp-1.32.0")" = .ses ]
[ "$(stat -c %s "$folder/tmp-1.32.0/.ses")" -eq 51 ]
