"""What the process that times exports makes of its nets and rounds."""

from benchmarks import export_latency
from benchmarks.export_latency import LOADS, measure
from benchmarks.nets import NETS
from benchmarks.runtimes import Format, Runtime

TINY = NETS["ResNet-8"]._replace(blocks=(1,), size=8)


def test_every_batch_of_every_artifact_is_timed_in_all_its_rounds(monkeypatch, tmp_path):
    verified, called, loaded = [], [], []

    def write(nets, images, folder):
        verified.append((nets.bn.input_shape, list(nets.mixed), len(images), folder))
        return {"a": folder / "a", "b": folder / "b"}

    def load(path, threads):
        loaded.append(path.name)
        return lambda images: lambda: called.append((path.name, threads, len(images)))

    kind = Format(write, lambda path: {"bytes": len(path.name)})
    monkeypatch.setattr(export_latency, "FORMATS", {"kind": kind})
    runtimes = dict.fromkeys(("one", "other"), Runtime("kind", load))
    monkeypatch.setattr(export_latency, "RUNTIMES", runtimes)
    first, second = measure(TINY, ["free"], {1: 3, 2: 4}, ["other", "one"], 5, tmp_path)
    assert (first["runtime"], second["runtime"]) == ("other", "one")
    assert first["artifacts"] == {"a": {"bytes": 1}, "b": {"bytes": 1}}
    assert {
        (batch, name): len(times)
        for batch, timed in first["seconds"].items()
        for name, times in timed.items()
    } == {(1, "a"): 3 * LOADS, (1, "b"): 3 * LOADS, (2, "a"): 4 * LOADS, (2, "b"): 4 * LOADS}
    assert verified == [((None, 8, 8, 3), ["free"], 3, tmp_path / "kind")]  # once for both
    assert sorted(loaded) == ["a"] * 2 * LOADS + ["b"] * 2 * LOADS
    assert set(called) == {(name, 5, batch) for name in "ab" for batch in (1, 2)}
