"""The head of a GGUF file: read without its tensors, and every damage said in one line."""

import struct
from pathlib import Path

import pytest

pytest.importorskip("gguf")

from rows.gguf.header import GgufError, is_gguf, read_header
from tests import gguf_files


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    gguf_files.write(path, kind="Q8_0")
    return path.read_bytes()


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(GgufError) as caught:
        read_header(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_head_says_what_the_file_holds(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "good.GGUF"
    path.write_bytes(good)
    header = read_header(path)
    model = gguf_files.random_model("llama", gguf_files.FEW)
    assert is_gguf(path)
    assert header.architecture == "llama"
    assert header.values["general.name"] == "tiny llama"
    assert header.values["tokenizer.ggml.tokens"] == model.config.vocab_size
    assert header.items == sum(weight.numel() for weight in model.parameters())
    assert {tensor.name for tensor in header.tensors} >= {"token_embd.weight", "output_norm.weight"}


@pytest.mark.parametrize("kept", [0.0, 1e-5, 0.02, 0.1, 0.3, 0.9, 0.99])
def test_a_file_that_is_cut_off_is_refused(good: bytes, tmp_path: Path, kept: float) -> None:
    said = refusal(tmp_path / "cut.gguf", good[: int(len(good) * kept)] or b"GG")
    assert "cut off" in said or "no GGUF file" in said


def test_one_byte_less_is_too_few(good: bytes, tmp_path: Path) -> None:
    header = read_header_of(good, tmp_path)
    last = max(tensor.offset for tensor in header.tensors)
    said = refusal(tmp_path / "cut.gguf", good[: header.start + last + 3])
    assert f"it has {header.start + last + 3} bytes, and its tensors end at byte" in said


def read_header_of(content: bytes, folder: Path):  # type: ignore[no-untyped-def]
    (folder / "whole.gguf").write_bytes(content)
    return read_header(folder / "whole.gguf")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"GGML" + struct.pack("<I", 3), "is no GGUF file: it begins with b'GGML'"),
        (b"GGUF" + struct.pack("<I", 1), "is GGUF version 1; versions 2 and 3 are read here"),
        (b"GGUF" + struct.pack(">I", 3), "for big-endian machines"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1), "damaged or cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60), "damaged or cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0), "names no architecture"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 2**62), "ends too early"),
    ],
)
def test_another_beginning_is_refused(
    good: bytes, tmp_path: Path, start: bytes, message: str
) -> None:
    assert message in refusal(tmp_path / "other.gguf", start + good[len(start) :])


def test_numbers_of_an_unknown_type_are_refused(good: bytes, tmp_path: Path) -> None:
    name = b"output_norm.weight"
    place = (
        good.index(name) + len(name) + 4 + 8
    )  # behind the number of dimensions, and the one there is
    said = refusal(tmp_path / "new.gguf", good[:place] + struct.pack("<I", 999) + good[place + 4 :])
    assert "tensor output_norm.weight is of ggml type 999" in said


def test_a_part_of_a_model_is_refused(tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "model-00001-of-00003.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint16("split.count", 3)
    writer.add_tensor("token_embd.weight", gguf_files.np.zeros((4, 32), "float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(GgufError, match="is one of 3 parts; join them"):
        read_header(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no GGUF file .*nowhere\.gguf"):
        read_header(tmp_path / "nowhere.gguf")
