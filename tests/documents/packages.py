"""Which documents of Debian's packages are read, and how they are fetched. Nothing of them is kept here."""

import gzip
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

TEX = "usr/share/doc/texlive-doc/latex"


@dataclass(frozen=True)
class Source:
    """``path``: in the package. ``reference``: for LaTeX, the PDF of the same document."""

    package: str
    path: str
    reference: str = ""

    @property
    def name(self) -> str:
        """A file name that tells the format."""
        stem = Path(self.path.removesuffix(".gz")).name
        return stem.removesuffix(".text") + ".txt" if stem.endswith(".text") else stem

    @property
    def format(self) -> str:
        """Its ending, without the dot."""
        return self.name.rpartition(".")[2]


def _tex(package: str, path: str) -> Source:
    return Source(package, f"{TEX}/{path}.tex.gz", f"{TEX}/{path}.pdf")


SOURCES = (
    _tex("texlive-latex-base-doc", "amsmath/amsldoc"),
    _tex("texlive-latex-base-doc", "base/clsguide"),
    _tex("texlive-latex-base-doc", "base/usrguide"),
    _tex("texlive-latex-base-doc", "hyperref/hyperref-doc"),
    _tex("texlive-humanities-doc", "covington/covington"),
    Source("debian-policy", "usr/share/doc/debian-policy/policy.pdf.gz"),
    Source("mrbayes-doc", "usr/share/doc/mrbayes/Manual_MrBayes_v3.2.pdf"),
    Source("nauty-doc", "usr/share/doc/nauty/nug28.pdf"),
    Source("haskell98-report", "usr/share/doc/haskell98-report/haskell98-report.pdf.gz"),
    Source("gnuplot-doc", "usr/share/doc/gnuplot/gnuplot.pdf"),
    Source("developers-reference", "usr/share/developers-reference/developers-reference.html"),
    Source("debian-policy", "usr/share/doc/debian-policy/fhs/fhs-3.0.html"),
    Source("bash-doc", "usr/share/doc/bash/bashref.html"),
    Source("debian-reference-en", "usr/share/debian-reference/ch02.en.html"),
    Source("anarchism", "usr/share/doc/anarchism/html/append131.html"),
    Source("debian-faq", "usr/share/doc/debian/FAQ/debian-faq.en.txt.gz"),
    Source("live-manual-txt", "usr/share/doc/live-manual/txt/live-manual.en.txt.gz"),
    Source("maint-guide", "usr/share/doc/maint-guide/maint-guide.en.txt.gz"),
    Source("jargon-text", "usr/share/doc/jargon-text/jargon.txt.gz"),
    Source("debian-reference-en", "usr/share/debian-reference/debian-reference.en.txt.gz"),
)


def fetch(package: str, folder: Path) -> Path:
    """The package's file, from the folder if it is there already.

    Raises:
        OSError: it cannot be fetched.
    """
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        done = subprocess.run(
            ["apt-get", "download", "-qq", package], cwd=folder, capture_output=True, text=True
        )
        found = sorted(folder.glob(f"{package}_*.deb"))
        if not found:
            why = (done.stderr.strip().splitlines() or ["no such package"])[-1]
            raise OSError(f"cannot fetch the package {package}: {why}")
    return found[-1]


def unpacked(package: Path, paths: list[str]) -> dict[str, bytes]:
    """Some files of a package, those with ``.gz`` unpacked. Nothing is written.

    Raises:
        OSError: a file is not in it.
    """
    archive = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True
    ).stdout
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            file = tar.extractfile(member) if name in paths else None
            if file is not None:
                content = file.read()
                found[name] = gzip.decompress(content) if name.endswith(".gz") else content
    if missing := sorted(set(paths) - set(found)):
        raise OSError(f"{package.name} holds no {missing[0]}")
    return found
