# ruff: noqa: RUF001 - Chinese text has Chinese punctuation
"""The prompt set ``suite``: this project's own wording, so that everything runs with no network.

Scores under it are not comparable with published ones; every row and record names its prompt set.
"""

_PASSAGES = (
    "Several passages follow, and after them one question. The answer may need more than one of "
    "them. Reply with the answer alone.\n\nPassages:\n{context}\n\nThere are no more passages. "
    "Reply with the answer alone.\n\nQuestion: {input}\nAnswer:"
)

TEMPLATES = {
    "narrativeqa": (
        "What follows is a story, from a book or a film. A question about it comes at the end; a "
        "few words are enough to answer it.\n\nStory:\n{context}\n\nThe story ends here. Answer in "
        "a few words, with no reasons.\n\nQuestion: {input}\n\nAnswer:"
    ),
    "qasper": (
        "What follows is a research paper. A question about it comes at the end. Answer with one "
        "short phrase; with yes or no where that is what is asked; with unanswerable where the "
        "paper does not say.\n\nPaper:\n{context}\n\nThe paper ends here. Answer with one short "
        "phrase, with yes, no or unanswerable where they fit.\n\nQuestion: {input}\n\nAnswer:"
    ),
    "multifieldqa_en": (
        "Here is a text and, at its end, a question. Keep the answer short.\n\n{context}\n\nThe "
        "text ends here. Reply with the answer alone.\n\nQuestion: {input}\nAnswer:"
    ),
    "multifieldqa_zh": (
        "下面是一段文字，末尾有一个问题。请用中文简短作答。\n\n{context}\n\n文字到此为止。只写出答案本身。"
        "\n\n问题：{input}\n回答："
    ),
    "hotpotqa": _PASSAGES,
    "2wikimqa": _PASSAGES,
    "musique": _PASSAGES,
    "dureader": (
        "下面有几篇文章，末尾有一个问题，答案就在这些文章里。\n\n文章：\n{context}\n\n文章到此为止，"
        "现在回答问题。\n\n问题：{input}\n回答："
    ),
    "gov_report": (
        "Below is a report by a public agency. Sum it up in about a page.\n\nThe report:\n{context}"
        "\n\nThe report ends here. Its summary, about a page long, is wanted.\n\nSummary:"
    ),
    "qmsum": (
        "Below is what was said in a meeting. A request about it comes at the end; meet it in a few "
        "sentences.\n\nThe meeting:\n{context}\n\nThe meeting ends here. Meet the request in a few "
        "sentences.\n\nQuery: {input}\nAnswer:"
    ),
    "multi_news": (
        "Below are several articles on one event. Sum all of them up in about a page.\n\nArticles:\n"
        "{context}\n\nThe articles end here. One summary of all of them is wanted.\n\nSummary:"
    ),
    "vcsum": "下面是一次会议的记录。读完之后，用一段话概括会议内容。\n\n记录：\n{context}\n\n会议总结：",
    "trec": (
        "Each question below is followed by its kind. Name the kind of the last one.\n\n"
        "{context}\n{input}"
    ),
    "triviaqa": (
        "Each passage below comes with a question and its answer. Answer the last question; write "
        "the answer alone.\n\n{context}\n\n{input}"
    ),
    "samsum": (
        "Each conversation below is followed by a summary of a sentence or two. Write the last "
        "one's summary.\n\n{context}\n\n{input}"
    ),
    "lsht": "下面每条新闻后面都写着它的类别。请写出最后一条新闻的类别。\n\n{context}\n{input}",
    "passage_count": (
        "Below are numbered paragraphs; some of them are copies of others. Count the different "
        "ones.\n\n{context}\n\nHow many different paragraphs were there, every copy left out? Reply "
        "with one number.\n\nAnswer:"
    ),
    "passage_retrieval_en": (
        "Below are numbered paragraphs, and then the abstract of one of them. Find out which one."
        "\n\n{context}\n\nThe abstract:\n\n{input}\n\nReply with the word Paragraph and the number "
        "of the paragraph that was summed up.\n\nAnswer:"
    ),
    "passage_retrieval_zh": (
        "下面是若干个编了号的段落，之后是其中一段的摘要。请找出是哪一段。\n\n{context}\n\n摘要如下：\n\n"
        "{input}\n\n请写“段落”二字和它的编号。\n\n回答："
    ),
    "lcc": "Go on with this code.\n\n{context}The next line:\n",
    "repobench-p": "Go on with this code.\n\n{context}{input}The next line:\n",
}

V2 = (
    "What follows is a long text. After it comes a question with four choices, of which one is "
    "right.\n\n$DOC$\n\nThe text ends here.\n\nQuestion: $Q$\n(A) $C_A$\n(B) $C_B$\n(C) $C_C$\n"
    "(D) $C_D$\n\nReply in this form, with the letter of your choice: The correct answer is (X)"
)
