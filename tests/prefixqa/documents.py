"""A folder of mixed documents, written here: text, Markdown, LaTeX, PDF, HTML, JSONL, and bad ones."""

import io
import json
import tarfile
from pathlib import Path

PARAGRAPH = (
    "The harbour of Ellmouth was dredged in 1931 by the engineer Maren Holt. The channel is 14 metres "
    "deep at low water. A groyne is a low wall of timber or stone. The depth was measured by lowering a "
    "marked chain. In summer the bay is warmer than the open sea. The crew consisted of divers, "
    "carpenters and two cooks. The mud contains shells, sand and clay."
)
LATEX = r"""
\documentclass{article}
\title{On the drift of \emph{sand}}
\date{2023-05-01}
\begin{document}
\maketitle
\begin{abstract}Sand drifts far~\cite{a}, as Figure~\ref{f} shows. % a comment
\end{abstract}
\section{Dunes}\label{s}
A barchan is a curved dune of loose sand. The dunes moved 14.5 metres in a year, which is 12\% more than
before. Their height was found by flying a kite over them.
\begin{figure}\includegraphics{x}\caption{A dune in \textbf{May}.}\end{figure}
\input{more}
\begin{thebibliography}{9}\bibitem{a} A. Author. \end{thebibliography}
\end{document}
"""
HTML = """<html><head><title>Notes on bells</title><meta name="date" content="2022-01-05">
<link rel="license" href="https://creativecommons.org/licenses/by/4.0/"></head><body>
<nav>Home | About</nav><h1>Notes on bells</h1><p>The <b>great bell</b> of Harsted weighs 2,410 kilograms.
It was cast by pouring bronze into clay.</p><p>A clapper is an iron tongue that strikes the rim.</p>
<script>var x = 1;</script><footer>All rights reserved</footer></body></html>"""
MARKDOWN = """---
title: Tides of Alder Bay
license: CC-BY-4.0
date: 2024-03-02
---
# Tides of Alder Bay

The tide gauge at **Alder Bay** was installed in 1931 by Maren Holt. A stilling well is a narrow pipe that
calms the water. See [the map](map.png).

## Methods

The height was read using a steel tape every 30 minutes. The gauge consists of a float, a drum and a pen.

## References

[1] Nobody. Nothing.
"""


def pdf(pages: list[list[str]], title: str = "") -> bytes:
    """A PDF with a text layer: pages of lines, in the plainest form there is."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    font = 3
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for lines in pages:
        shown = " T* ".join(f"({_escape(line)}) Tj" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 780 Td {shown} ET".encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 %d 0 R >> >> >>" % (len(objects), font)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    objects.append(f"<< /Title ({_escape(title)}) /CreationDate (D:20210704120000Z) >>".encode())
    body, places = io.BytesIO(b"%PDF-1.4\n"), []
    body.seek(0, io.SEEK_END)
    for number, content in enumerate(objects, start=1):
        places.append(body.tell())
        body.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = body.tell()
    body.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    body.writelines(b"%010d 00000 n \n" % place for place in places)
    info = len(objects)
    body.write(
        b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (info + 1, info, start)
    )
    return body.getvalue()


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def pdf_pages() -> list[list[str]]:
    """Three pages with a running head, page numbers, a hyphenated word and references."""
    return [
        ["Journal of Lamps 7", "1 Introduction", "The lamp of Norby was lit in 1874 by the keeper Ada Ros-",
         "sing. A mantle is a net of ash that glows.", "1"],
        ["Journal of Lamps 7", "The lamp burns 3.5 litres of oil in a night. The", "light was made "
         "steadier by adding a second ring of holes.", "2"],
        ["Journal of Lamps 7", "The tower is 41 metres high.", "References", "[1] Somebody, 1900.", "3"],
    ]  # fmt: skip


def mixed_folder(folder: Path) -> Path:
    """The folder: six good documents, three that cannot be used."""
    folder.mkdir()
    (folder / "harbour.txt").write_text(PARAGRAPH.replace(". ", ".\n"))
    (folder / "tides.md").write_text(MARKDOWN)
    (folder / "sand.tex").write_text(LATEX)
    (folder / "lamps.pdf").write_bytes(pdf(pdf_pages(), "The lamp of Norby"))
    (folder / "bells.html").write_text(HTML)
    record = {"id": "mills", "text": PARAGRAPH.replace("harbour", "mill pond").replace("14", "3"),
              "license": "CC0-1.0", "published": "2020-05-06", "source": "mills of the north"}  # fmt: skip
    (folder / "more.jsonl").write_text(json.dumps(record) + "\n{broken\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    (folder / "empty.txt").write_text("")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    return folder


def package(files: dict[str, str]) -> bytes:
    """A gzipped tar of text files, as arXiv serves sources."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()
