"""``python -m prefixqa``: makes a PreFixQA set. ``--help`` lists the keys."""

from prefixqa.config import PrefixqaConfig, register
from prefixqa.make import make
from rows.command import Command

TEXT_KEYS = (
    *("backend", "tokenizer", "out", "source", "licence", "published_after", "published_before"),
    *("openai.model", "openai.base_url", "openai.judge", "openai.cache"),
)
COMMAND = Command("prefixqa", PrefixqaConfig, "set goes", TEXT_KEYS, register, make)

if __name__ == "__main__":
    COMMAND.main()
