"""Reading the protobuf in an ONNX file."""

from pathlib import Path


def read_proto(path: Path):
    """Returns the `onnx.ModelProto` in a file; weights in other files stay there.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file is damaged, or not a protobuf.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        # The format is stated, as the file may have any extension.
        return onnx.load(path, format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise ValueError(
            "The ONNX file is damaged or truncated; export the model again. "
            f"Received: {str(path)!r}; protobuf says: {error}"
        ) from error
