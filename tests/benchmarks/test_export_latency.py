"""What the process that times exports makes of its nets and rounds."""

from benchmarks import export_latency
from benchmarks.export_latency import Runtime, describe_folder, measure
from benchmarks.nets import NETS

TINY = NETS["ResNet-8"]._replace(blocks=(1,), size=8)


def test_every_batch_of_every_artifact_is_timed_in_all_its_rounds(monkeypatch, tmp_path):
    verified, called = [], []

    def write(twins, images, folder):
        verified.append((twins.bn.input_shape, len(images), folder))
        return {"a": folder / "a", "b": folder / "b"}

    def load(path, threads):
        return lambda images: lambda: called.append((path.name, threads, len(images)))

    runtime = Runtime(write, load, lambda path: {"bytes": len(path.name)})
    monkeypatch.setattr(export_latency, "RUNTIMES", {"one": runtime, "other": runtime})
    first, second = measure(TINY, {1: 3, 2: 4}, ["other", "one"], 5, tmp_path)
    assert (first["runtime"], second["runtime"]) == ("other", "one")
    assert first["artifacts"] == {"a": {"bytes": 1}, "b": {"bytes": 1}}
    assert {
        (batch, name): len(times)
        for batch, timed in first["seconds"].items()
        for name, times in timed.items()
    } == {(1, "a"): 3, (1, "b"): 3, (2, "a"): 4, (2, "b"): 4}
    assert verified == [((None, 8, 8, 3), 3, tmp_path)] * 2
    assert set(called) == {(name, 5, batch) for name in "ab" for batch in (1, 2)}


def test_size_of_a_folder_is_that_of_all_its_files(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(bytes(5))
    (tmp_path / "variables" / "index").write_bytes(bytes(7))
    assert describe_folder(tmp_path) == {"bytes": 12}
