"""A folder's manifest, which several generators may fill at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rows import publish


def test_generators_that_write_at_once_lose_no_file(tmp_path: Path) -> None:
    """One read the manifest, and wrote it after another had added a file to it."""
    names = [f"{number}.jsonl" for number in range(40)]
    for name in names:
        (tmp_path / name).write_text(name)

    def note(name: str) -> None:
        publish.note(tmp_path, tmp_path / name, {}, lambda manifest: str(sorted(manifest["files"])))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, names))
    assert sorted(publish.read_manifest(tmp_path)["files"]) == sorted(names)
    assert publish.check(tmp_path) == []
    assert (tmp_path / publish.CARD).read_text() == str(sorted(names))
    assert not (tmp_path / publish.LOCK).exists()
