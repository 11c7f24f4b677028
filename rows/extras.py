"""Packages that only some data sets need: which extra brings them, said where one is missing."""

DISTRIBUTION = "squeezed-attention-bench"
# Names as they are imported.
EXTRAS = {
    "openai": "service",
    "pypdfium2": "documents",
    "lxml": "documents",
    "markdown_it": "documents",
    "datasketch": "documents",
    "arxiv": "arxiv",
    "requests": "arxiv",
    "jieba": "chinese",
    "gguf": "gguf",
    "lm_eval": "lm-eval",
}


def missing(error: ImportError) -> str | None:
    """What to install for an import that failed, in one line; None if no extra brings it."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    extra = EXTRAS[package]
    return f"this needs the package {package}: pip install '{DISTRIBUTION}[{extra}]'"
