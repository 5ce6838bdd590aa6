"""A real TensorFlow Serving loads and warms up what was published, and gives equal answers."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pytest

from keras_bin.export import export_saved_model
from tests.export.kinds import KINDS
from tests.export.values import arrays, predict

SERVER = os.environ.get("KERAS_BIN_MODEL_SERVER")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        SERVER is None,
        reason="KERAS_BIN_MODEL_SERVER must be the path of a tensorflow_model_server",
    ),
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def served(base, log):
    """Yields the address of a server of `base`, once it has loaded a version."""
    port = free_port()
    command = [SERVER, f"--port={free_port()}", f"--rest_api_port={port}"]
    command += ["--model_name=net", f"--model_base_path={base}"]
    with (
        open(log, "w") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as server,
    ):
        try:
            address = f"http://127.0.0.1:{port}/v1/models/net"
            for _ in range(120):
                assert server.poll() is None, log.read_text()
                with contextlib.suppress(OSError):
                    if "AVAILABLE" in urllib.request.urlopen(address, timeout=5).read().decode():
                        break
                time.sleep(0.5)
            else:
                raise AssertionError(log.read_text())
            yield address
        finally:
            server.terminate()
            server.wait()


@pytest.mark.parametrize("kind", ["functional", "dicts"])
def test_server_answers_what_the_model_computes(kind, tmp_path):
    model = KINDS[kind]()
    export_saved_model(model, tmp_path / "net")
    values = arrays(model, 3)
    names = [tensor.name for tensor in model.inputs]
    body = {"inputs": {name: x.tolist() for name, x in zip(names, values, strict=True)}}
    with served(tmp_path / "net", tmp_path / "log") as address:
        request = urllib.request.Request(f"{address}:predict", json.dumps(body).encode())
        answer = json.loads(urllib.request.urlopen(request, timeout=60).read())["outputs"]
    outputs = [answer] if isinstance(answer, list) else [answer[key] for key in sorted(answer)]
    for got, expected in zip(outputs, predict(model, values), strict=True):
        # float32 rounding, through decimal digits, of values up to 10.
        np.testing.assert_allclose(np.array(got), expected, rtol=1e-5, atol=1e-5)
    assert "warmup" in (tmp_path / "log").read_text().lower()
