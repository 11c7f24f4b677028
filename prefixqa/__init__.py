"""PreFixQA: long documents with many questions each, made, read and scored."""
