"""A tokenizer read from its file alone, where transformers would use that file as it is.

Importing transformers' tokenizers imports torch, which takes seconds of CPU: longer than making the rows.
"""

import json
from pathlib import Path
from typing import Any

CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")  # they take tokenizer.json as it is
MARKS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# Settings of tokenizer_config.json that change neither ids nor counts. Any other one may.
HARMLESS = {
    *("backend", "tokenizer_class", "model_max_length", "is_local", "local_files_only"),
    *("clean_up_tokenization_spaces", "chat_template", "model_input_names"),
    *("padding_side", "truncation_side"),
}
LARGEST = 100_000  # entries; above, transformers looks whether it must mend a vocabulary's rule (Mistral's)


class FileTokenizer:
    """What counting needs of a tokenizer of transformers: the same ids, without a chat template.

    Attributes:
        backend_tokenizer: the ``tokenizers.Tokenizer``. name_or_path: its folder.
        bos_token, bos_token_id and the other marks: as of transformers; None where there is none.
        all_special_ids: of the marks.
    """

    is_fast = True

    def __init__(self, folder: Path, backend: Any, marks: dict[str, str | None]) -> None:
        self.name_or_path = str(folder)
        self.backend_tokenizer = backend
        for name in MARKS:
            token = marks.get(name)
            setattr(self, name, token)
            setattr(self, f"{name}_id", None if token is None else backend.token_to_id(token))
        found = dict.fromkeys(getattr(self, f"{name}_id") for name in MARKS)
        self.all_special_ids = [each for each in found if each is not None]

    def __call__(
        self,
        text: str,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        **_: Any,
    ) -> dict[str, Any]:
        """``input_ids`` of one text and, if wanted, ``offset_mapping``: characters [start, end) of each."""
        encoded = self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens)
        found = {"input_ids": encoded.ids}
        return {**found, "offset_mapping": encoded.offsets} if return_offsets_mapping else found

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Token ids of a text."""
        return list(self(text, add_special_tokens)["input_ids"])

    def get_vocab(self) -> dict[str, int]:
        """Ids by token, added ones included."""
        return dict(self.backend_tokenizer.get_vocab())


def read_tokenizer_file(folder: Path) -> FileTokenizer | None:
    """The tokenizer of a folder; None where transformers has to read it, or to say what is wrong with it."""
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        marks = {name: settings.pop(name) for name in MARKS if name in settings}
        special = {each["content"] for each in stored["added_tokens"] if each["special"]}
        as_it_is = (
            settings.get("tokenizer_class") in CLASSES
            and HARMLESS.issuperset(settings)
            and not stored.get("padding")
            and not stored.get("truncation")
            and stored["post_processor"] is not None
            # As strings, and there already; otherwise transformers adds them.
            and all(each is None or each in special for each in marks.values())
            and not any(
                (folder / f"{name}.json").exists()
                for name in ("special_tokens_map", "added_tokens")
            )
        )
        if not as_it_is:
            return None
        from tokenizers import Tokenizer

        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # a file that is missing or damaged: transformers says what is wrong
        return None
    return FileTokenizer(folder, backend, marks) if backend.get_vocab_size() <= LARGEST else None
