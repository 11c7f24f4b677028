"""Models in one GGUF file: what the file holds, its tokenizer, and where converted ones are kept."""
