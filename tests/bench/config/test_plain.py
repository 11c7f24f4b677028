"""``key=value`` without Hydra: types, what is refused, and the help page."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.config.errors import InputError, RunError
from bench.config.plain import Plain, parse, setting


@dataclass(frozen=True)
class Settings:
    name: str = setting("x", "a name", ("x", "yes"))
    count: int | None = setting(None, "a number")
    share: float = setting(0.5, "a share")
    out: Path = setting(Path("here"), "a folder")
    files: list[Path] = setting([], "some files")
    sizes: list[int] = setting([1, 2], "some sizes")
    quick: bool = setting(False, "less")


def test_values_have_their_types() -> None:
    found = parse(
        [
            "name=yes",
            "count=3",
            "share=1e-3",
            "out=~/a b=c",
            "files=[a,b#1]",
            "sizes=4, 5",
            "quick=true",
        ],
        Settings,
    )
    home = Path.home() / "a b=c"
    assert found == Settings("yes", 3, 1e-3, home, [Path("a"), Path("b#1")], [4, 5], True)
    assert parse(["count=null", "out='1e5'", "sizes=[]"], Settings) == Settings(
        out=Path("1e5"), sizes=[]
    )


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("nam=x", "unknown key 'nam'; did you mean name?"),
        ("--name", "unknown key '--name'; did you mean name?"),
        ("+zzz=1", "unknown key '+zzz'; known: name, count,"),
        ("name", "name has no value; a setting is written name=VALUE"),
        ("name=ye", "name is 'ye'; did you mean yes?"),
        ("name=other", "name is 'other'; expected one of x, yes"),
        ("count=many", "count is 'many'; expected a whole number"),
        ("share=half", "share is 'half'; expected a number"),
        ("quick=1", "quick is '1'; expected true or false"),
        ("out=", "out is empty"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(argument: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse([argument], Settings)
    assert str(error.value).startswith(message)


def command(work: object) -> Plain:
    return Plain("try", "bench.try", Settings, work, "Tries.", ("count=1",), kept="all is kept")  # type: ignore[arg-type]


def test_the_help_page_has_every_key_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pytest.fail).main(["--help"]) == 0
    page = capsys.readouterr().out
    for text in (
        "count=null",
        "sizes=[1,2]",
        "quick=false",
        "a share",
        "squeezed-bench try count=1",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (None, 0, ""),
        (InputError("wrong"), 2, "error: wrong\n"),
        (RunError("could not"), 1, "error: could not\n"),
        (
            PermissionError(13, "no", "x"),
            2,
            "error: cannot write: [Errno 13] no: 'x'; give another",
        ),
        (KeyboardInterrupt(), 130, "\nstopped; all is kept\n"),
    ],
)
def test_every_end_has_its_code_and_one_line(
    error: BaseException | None, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(settings: Settings) -> None:
        if error is not None:
            raise error

    assert command(work).main([]) == code
    assert capsys.readouterr().err.startswith(text)
