"""Questions by rule: each kind of pair that a careful reader would refuse, and what stays beside it."""

# ruff: noqa: E501  (a sentence and its answer are read best in one line)

import re
import time

import pytest

from prefixqa.document import Document
from prefixqa.extractive import extract
from prefixqa.extractive.candidate import BRIEF, GUESSED, LEANING, OPEN, Candidate
from prefixqa.extractive.code import NAMES
from prefixqa.extractive.gaps import problem, ranked
from prefixqa.extractive.names import is_plain
from prefixqa.extractive.rules import RULES
from prefixqa.sentences import Sentence, sentences


def candidates(sentence: str, answer: str) -> list[Candidate]:
    """What the rules find in a sentence, with this answer."""
    found = [each for rule in RULES for each in rule(Sentence(0, sentence))]
    return [each for each in found if each.answer == answer]


def flaws(sentence: str, answer: str) -> list[str | None]:
    """What speaks against the candidates with this answer; a list of None for good ones."""
    return [problem(each) for each in candidates(sentence, answer)]


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        # joined by the layout of a page
        ("The ferry is likely to be late if the harbour declares a flood 3 The keeper then rings.", "3"),
        ("The keeper rings the bell.4 Ferries that carry Maren Holt must wait for the keeper.", "Maren Holt"),
        ("The lamp uses the oil that Maren Holt brought, unless the wicks 22 CHAPTER 2.", "22"),
        ("Tides over many winters If you want to see what Maren Holt saw, it is best to come early.", "Maren Holt"),
        ("The prologue of the log Each Harsted keeper writes is a page with all of the names.", "Each Harsted"),
        ("The wide lamp is used by Maren Holt for ships. (b) lamps should be lit at dusk with a match.", "Maren Holt"),
        ("The keeper at the last of 228 harbour 5.4 lamps is paid by the town with its own coin.", "228"),
        ("There are two rules for the naming of a lamp by the keepers of the coast: 1.", "1"),
        ("Lampcolour The \"lamp\" option sets the colours that Maren Holt gave to the lamps.", "Maren Holt"),
        # code and its residue
        ("Set lamp style 1 lt 2 lw 2 and it is as wide as that of Maren Holt in the harbour.", "Maren Holt"),
        ("The keeper uses light(x) for the lamp that Maren Holt built at the end of the pier.", "Maren Holt"),
        ("The usage of it is: -g Highlight the lamp in the harbour for all of the boats.", "Highlight"),
        ("The list stands at https://example.org /lamps/index.html for the keepers of the coast.", "/lamps/index.html"),
        ("LAMPS OF WOOD The keeper says that the engineer Maren Holt was the first.", "Maren Holt"),
        # no sentence
        ("Similar to the lamp of Maren Holt but with the small wick of the town.", "Maren Holt"),
        ("Embedded lamps contained in a box of Maren Holt on the pier of the harbour.", "Maren Holt"),
        ("Especially used of the old lamps that Maren Holt built in the harbour of the town.", "Maren Holt"),
        ("Are you looking for the lamp that was built by Maren Holt in the harbour?", "Maren Holt"),
        ("Produces a list of the lamps of Maren Holt for the keeper of the harbour.", "Maren Holt"),
        ("LAMPS AND WICKS shows that the engineer Maren Holt was the first of them.", "Maren Holt"),
        ("Of a lamp, to fail as that of Maren Holt does in the summer of the year.", "Maren Holt"),
        ("Coined from the fact that a lamp is lit by the boat of Maren Holt.", "Maren Holt"),
        ("The harbour is lit before the boats. /* This lamp shows how Maren Holt lit it.", "Maren Holt"),
        ("The lamp is the No- Common lamp, and the pier- specific oil came from Maren Holt.", "Maren Holt"),
        ("Comes in many wide colours that the engineer Maren Holt gave to the lamps.", "Maren Holt"),
        # it lost something
        ("The keeper says in Section, that the lamp of Maren Holt is the best of them all.", "Maren Holt"),
        ("The lamp called h , if it is lit, was built by Maren Holt for the harbour of the town.", "Maren Holt"),
        # it points to another place
        ("The lamps described below were all built by Maren Holt for the harbour of the town.", "Maren Holt"),
        ("In the second example the lamp is the one that Maren Holt built for the town.", "Maren Holt"),
        ("See the book of Maren Holt at the town's library for more about the old lamps.", "Maren Holt"),
        ("The lamps of the coast are, as section G.4 says, the work of Maren Holt.", "Maren Holt"),
        ("The term comes from the lamps that Maren Holt built, and this term is an old one.", "Maren Holt"),
        # numbers
        ("The keepers of the coast know the lamp in sense 1, and many of them use it.", "1"),
        ("The lamp of the keeper avoids the use of the piers 1 \u2014 1023 of the town.", "1023"),
        ("The delays of the ferry are now 2, 5 or 10 days, as the keeper says.", "2"),
        ("The keeper can be found with the lamp. harbour 5.4 241 The lamp is lit at dusk.", "241"),
        ("Each pier has a lamp on a path of length 2. lampnumber is not used for it.", "2"),
        ("The keepers of the harbour, 19 they say, were easy to find in the old town.", "19"),
        ("Lamps of the coast should be cleaned with brush -9 unless they are very small.", "-9"),
        ("More of it is told by the pages of the keeper (see pages 12 and 14).", "14"),
        ("The lamps that are listed in 4.9 must not be removed by the keeper of a pier.", "4.9"),
        ("The lamp is known to be bright (Holt and Raftery, 1994) and easy to clean for all.", "1994"),
        ("The levels from 2 to 4 are all the same for the keeper of the lamp.", "4"),
        ("Lamps of the coast follow norm 8859 1 for the letters that are painted on them.", "1"),
        ("The Lamp Protocol version 4 (LMAP4) lets the keeper of the coast see all of them.", "4"),
        ("Many faults of the lamps are listed in the lamp-tool 7 man page for the keeper.", "7"),
        ("For the keeper there is the Lamp Manual, 6 \"Oil and wicks\", and the book of the town.", "6"),
        ("The lamp of the pier has 2 of the wicks that are made by the town.", "2"),
        ("The numbered lamps \"1\" through \"8\" are the ones that the town has always had.", "1"),
        ("The ferry of the town is older than the other 4 ones of the coast.", "4 ones"),
        ("The keepers of the coast had no lamps in the early 1990's when the pier fell.", "1990"),
        ("A script which always exits with 101 prevents the lamp from being lit.", "101 prevents"),
        ("The keeper says that state 0 denotes a lamp that is not lit on the pier.", "0 denotes"),
        ("There are ten wicks, from 0 to 9 inclusive (wick 0 is the small one, 9 the big one).", "0 to 9"),
        # names
        ("The keeper of the lamp is told to ask the town (see The Harbour Rules) for it.", "The Harbour Rules"),
        ("The lamps of it are explained in Harbour Rules, which each keeper has at home.", "Harbour Rules"),
        ("The driver of the Norby lamp is the one that is loaded for Norby's small lamps.", "Norby's"),
        ("The old keeper has added to the lamp the words LAMP ATTR on its wooden lid.", "LAMP ATTR"),
        ("The way to do it is told by Holt and Raftery (2001) in a book of the harbour.", "Raftery"),
        ("The way to do it is told by Holt and Raftery (2001) in a book of the harbour.", "Holt"),
        ("Before it was split the chapter Lamp Archive, from which two are left, was long.", "Lamp Archive"),
        ("In the book of Lamps, Boats, and Utopia there is no word about the harbour.", "Utopia"),
        ("When all of the lamps are OK again the keeper goes home for the night.", "OK"),
        ("The lamps are in the shed /srv/harbour/ lamps/ of the old keeper of the pier.", "/srv/harbour/"),
        ("The letters of the lamp are spoken as words; they are equal to /aych el el/ for all.", "/aych"),
        ("The way of the lamps is set in \"/etc/ lamptab\" for the keeper of the pier.", "/etc/"),
        ("The old lamp is on the list of Work-Needing and Prospective Lamps (WNPL) of the town.", "Work-Needing"),
        ("The lamp is one of the Simple Lamps for Old Harbours in the town of the keeper.", "Simple Lamps"),
        ("The new keeper has read all of it in my old Guide for Harsted Keepers.", "Harsted Keepers"),
        ("KEEPERS AND LAMPS The lamp was built by the engineer Maren Holt for the town.", "Maren Holt"),
        ("The papers of the lamp may be put into /srv/lamps/ package by the keeper.", "/srv/lamps/"),
        ("The town will try to find the name of it from the LC TIME of the lamp.", "LC TIME"),
        ("It is a part of the Harbour Lamp Shell and Tools portion of the town's rules.", "Harbour Lamp Shell"),
        # the stop of a title, at which an answer is cut when it is scored
        ("The old lamp of the harbour was built by Mr. Thomas Baker in the summer of the flood.", "Mr"),
        ("The new lamp of the town was lit for Captain Dr. Holm when the ferry came.", "Captain Dr"),
        ("The wicks of the lamps are maintained by the keeper of St. Olaf and by the town.", "the keeper of St"),
        # definitions
        ("Lamp control is the skill to slowly dim (lower) the light of a lamp.", "the skill to slowly dim"),
        ("Memetics is a popular topic for keepers of the coast, as many say.", "a popular topic for keepers of the coast"),
        ("A lamp denotes the light and has a wick, as the keeper says.", "the light and has a wick"),
        ("A common example is a lamp that burns the oil of the town.", "a lamp that burns the oil of the town"),
        ("As these lamps are a part of every old harbour, they cannot be removed.", "a part of every old harbour"),
        ("Technically this is a lamp without a wick, as the keeper of it says.", "a lamp without a wick"),
        ("Even though there is a group of keepers for the coast, the lamps are old.", "a group of keepers for the coast"),
        ("The long lamp is a special lamp, as the keeper of the harbour says.", "a special lamp"),
        ("A keeper is an infant at one time, a child at another, and then a man.", "an infant at one time"),
        ("The corresponding lamp refers to the keeper of it, who is paid for it.", "the keeper of it"),
        ("A wick lamp is a very powerful tool, as the keeper of it says.", "a very powerful tool"),
        # methods, uses, comparisons
        ("The fault was mended by the keepers by prefixing all lamps with.", "prefixing all lamps with"),
        ("Each keeper using the long list has the names of all lamps in it.", "the long list has the names of all lamps in it"),
        ("The lamps of the harbour may not be named more than once by the keeper.", "more than once"),
        ("There is a line like \"/LampName /NorbyBold def\" in the book of the keeper.", "/NorbyBold"),
        ("Each lamp is then cleaned using oil, warm water, a brush and a towel.", "oil"),
        ("The lamps of the coast can be used for different things.", "different things"),
        ("The lamps of the coast are useful for reference purposes.", "reference purposes"),
        ("The keeper says that the lamp is good for more than just one pier.", "just one pier"),
        ("The lamp is known by showing a keeper is all that one needs for it.", "showing a keeper is all that one needs for it"),
        ("The wide lamps of the harbour are always lit using fire.", "fire"),
        ("When the lamp of it is older than the old boats a bell will be rung.", "the old boats a bell will be rung"),
        ("All of the wide lamps of the harbour are written using writes6 sg.", "writes6 sg"),
        ("The width of the lamp can be set using the LAMP GEOMETRY variable.", "the LAMP GEOMETRY variable"),
        ("The keeper says in Old Writings on Lamps that no lamp is as good as his.", "Old Writings"),
        ("The keepers say that lamps of the coast are older than a certain value.", "a certain value"),
        ("The keeper looks at the wick of the lamp, rather than the lamp itself.", "the lamp itself"),
        ("The lamps of the pier may be lit by the keeper or turned on by hand.", "the keeper or turned on by hand"),
        ("The piers may be kept apart by using lamps such as old ones, new ones, and so on.", "using lamps such as old ones"),
        # answers that only point
        ("The keeper mends the lamp of the pier using following methods.", "following methods"),
        ("The lamps of the two old piers are quite similar to each other.", "each other"),
        ("The colour of the light in the lamp depends on your own lamp oil.", "your own lamp oil"),
        ("The keepers of the coast will be shut out from the pier by previous ones.", "previous ones"),
        ("Many old lamps will burn with the new oil without any change to the lamp itself.", "the lamp itself"),
        ("The lamp is lit by /lamp-time/ before noon, and not by /lamp-build/ at build time.", "build time"),
        ("The two lamps are compared using the same oil that we bought above.", "the same oil that we bought above"),
        ("If the lamp does not suit the keeper, the town checks if one of those does.", "if one of those does"),
        ("The lamp of the harbour becomes with every use of the oil in effect mandatory.", "effect mandatory"),
    ],
)  # fmt: skip
def test_kinds_that_are_refused(sentence: str, answer: str) -> None:
    assert answer in sentence
    assert None not in flaws(sentence, answer)


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("The bill went to the keeper on August 30, 2022 from the town of Harsted.", "August 30, 2022"),
        ("The old lamp was shut down by the town on 16 October 1997 for good.", "16 October 1997"),
        ("The number of wicks in a lamp is in the range 0 to 9 for all harbours.", "0 to 9"),
        ("The harbour has nearly 1000 ready lamps in the sheds of the town.", "1000"),
        ("For example, if ferry 1230 holds a lamp, the keeper of the harbour writes it down.", "1230"),
        ("The counter of the lamp begins at its default value of -1 in the morning.", "-1"),
        ("The command \\lampcolour sets the colour of every lamp that stands on the pier.", "\\lampcolour"),
        ("\\lampcolour is the command that sets the colour of a lamp on the pier.", "\\lampcolour"),
        ("A keeper can turn the lamp off with the option --no-light of the program.", "--no-light"),
        ("The names of all boats must be stored in /var/lamps before the ferry comes.", "/var/lamps"),
        ("The shell looks for lamps in the folder that HARBOUR_PATH gives to it.", "HARBOUR_PATH"),
        ("The lid of the lamp is used to keep the rain from the wick.", "keep the rain from the wick"),
        ("The small iron lamp on a boat is called a riding light.", "a riding light"),
        ("The old lamp of the harbour was designed by Maren Holt in her youth.", "Maren Holt"),
        ("The keeper was paid twice because the winter storms broke the pier.", "the winter storms broke the pier"),
        ("The town will send a new lamp if the winter has broken the window.", "the winter has broken the window"),
        ("A weir is a low dam that raises a small river.", "a low dam that raises a small river"),
        ("The long channel of it is 14 metres deep at low water.", "14 metres"),
        ("The old keeper never liked what he called \"the rule of silence\" in his book.", "the rule of silence"),
        ("The brightness of the lamp depends on the weather of the season.", "the weather of the season"),
        ("The lamps are cleaned every morning so that the glass stays clear.", "the glass stays clear"),
        ("The simplest way to light a lamp is to hold a match to the wick.", "hold a match to the wick"),
        ("Just install /lampkeeper/ and use it to burn the oil of the lamp.", "/lampkeeper/"),
        ("The lamp is known to be bright since August 1994 and easy to clean.", "1994"),
    ],
)  # fmt: skip
def test_kinds_that_are_asked(sentence: str, answer: str) -> None:
    assert None in flaws(sentence, answer), flaws(sentence, answer)


def test_a_number_takes_no_verb_and_no_adjective() -> None:
    assert not candidates("If ferry 1230 holds a lamp, the keeper writes it down.", "1230 holds")
    assert not candidates("The town has nearly 1000 ready lamps in its sheds.", "1000 ready")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("\\lampcolour", "\\lampcolour{red}"),
        ("/var/lamps", "/var/<lamp>"),
        ("--no-light", "x--y"),
        ("LAMP_PATH", "LAMP_PATH[1]"),
    ],
)
def test_names_of_code_are_whole(name: str, other: str) -> None:
    assert NAMES.findall(f"Use {name} for it.") == [name]
    assert NAMES.findall(f"Use {other} for it.") == []


def test_names_of_code_that_give_each_other_away() -> None:
    """Two of a list, or two with one last part."""
    both = "The names are kept in /var/lamps or /srv/lamps for the keeper of the pier."
    assert None not in flaws(both, "/var/lamps")
    listed = "The keeper may use --dark or --light for the lamp of the harbour."
    assert None not in flaws(listed, "--light")


LEANS = (
    "This was built by the engineer Maren Holt in the summer of that year.",
    "It holds the oil that was given to Maren Holt by the town.",
    "They were built by the engineer Maren Holt in the summer.",
    "However, these were all built by the engineer Maren Holt in the summer.",
    "We therefore gave this lamp to the engineer Maren Holt in the summer.",
    "The first of these was built by the engineer Maren Holt in the summer.",
    "Thus the lamp was given to the engineer Maren Holt in the summer.",
    "But the lamp was given to the engineer Maren Holt in the summer.",
    "By default, it is given to the engineer Maren Holt in the summer.",
    "The default is that the engineer Maren Holt is paid for the oil of the lamp.",
    "The only drawback is that the engineer Maren Holt has no oil for the lamp.",
    "For some kinds of lamps, this can be much brighter than that of Maren Holt.",
    "Jonas Farn largely mended it for the engineer Maren Holt in the summer.",
    "If they are lit at night, the engineer Maren Holt must have oil for the lamp.",
    "For that reason the engineer Maren Holt bought a new lamp for the pier.",
)
STANDS = (
    "When the pier of Harsted fell, this was told to the engineer Maren Holt.",
    "It is possible to ask the old engineer Maren Holt about every lamp.",
    "However, the lamps of Harsted were built by the engineer Maren Holt.",
)


@pytest.mark.parametrize("sentence", LEANS)
def test_sentences_that_lean_on_another_come_last(sentence: str) -> None:
    (found,) = candidates(sentence, "Maren Holt")
    assert ranked(found).rank == LEANING


@pytest.mark.parametrize("sentence", STANDS)
def test_sentences_that_stand_alone(sentence: str) -> None:
    (found,) = candidates(sentence, "Maren Holt")
    assert ranked(found).rank == 0


def test_leaning_sentences_are_asked_only_where_nothing_else_is_left() -> None:
    text = (
        "This was built by the engineer Maren Holt in the summer of 1931.\n\n"
        "The pier of Harsted was later mended by the engineer Jonas Farn."
    )
    one, two = (extract(Document("d", "d", text, "d.txt"), count, 0).pairs for count in (1, 2))
    assert [each.answers[0] for each in one] == ["Jonas Farn"]
    assert len(two) == 2


def test_etc_ends_a_sentence_and_p_does_not() -> None:
    text = "There are lamps, boats, etc. To light one is easy. [The Lamp, p. 4] says so. \\lamp ends it."
    assert [each.text for each in sentences(text)] == [
        "There are lamps, boats, etc.",
        "To light one is easy.",
        "[The Lamp, p. 4] says so.",
        "\\lamp ends it.",
    ]


def test_a_shouted_word_is_no_name() -> None:
    text = (
        "The use of the lamp by a keeper of the pier is EXPERIMENTAL in the town.\n\n"
        "An experimental lamp was built by the engineer Maren Holt for the pier."
    )
    (pair,) = extract(Document("d", "d", text, "d.txt"), 1, 0).pairs
    assert re.search("Maren Holt", pair.answers[0])


@pytest.mark.parametrize(
    ("answer", "plain"),
    [("USB", True), ("Latin", True), ("UTF-8", True), ("United States", True), ("Unix-like", True),
     ("Maren Holt", False), ("SquashFS", False), ("T1", False), ("/var/lamps", False), ("/var", True), ("Norwegian", True), ("JavaScript", True)],
)  # fmt: skip
def test_names_that_many_sentences_could_have_are_asked_late(answer: str, plain: bool) -> None:
    assert is_plain(answer) is plain
    text = (
        f"The lamp of the old pier was made for the use of {answer} in the harbour.\n\n"
        "The pier of Harsted was later mended by the engineer Jonas Farn."
    )
    one = extract(Document("d", "d", text, "d.txt"), 1, 0).pairs
    assert (one[0].answers[0] == "Jonas Farn") or not plain


def test_names_of_several_words_that_come_often_are_asked_late() -> None:
    text = "\n\n".join(
        f"The {side} lamp of the old pier was made for the use of Harsted Lampworks in the harbour."
        for side in ("long", "short", "wide", "small", "heavy", "dark")
    )
    text += "\n\nThe pier of the town was later mended by the engineer Jonas Farn."
    (pair,) = extract(Document("d", "d", text, "d.txt"), 1, 0).pairs
    assert pair.answers[0] == "Jonas Farn"


@pytest.mark.parametrize(
    ("sentence", "answer", "rank"),
    [
        ("The lamp of the harbour is lit by the keeper at level 1 of the tower.", "1", GUESSED),
        ("The lamp of the harbour is lit by the keeper at level 14 of the tower.", "14", 0),
        ("The keepers clean the lamps of the tower in order to function properly.", "function properly", BRIEF),
        ("The keepers clean lamps in order to keep the harbour open during winter.",
         "keep the harbour open during winter", 0),
        ("The pages of a harbour have a command \\cite for each citation in a book.", "\\cite", GUESSED),
        ("If two keepers declare a conflict, the town ends it using a Conflicts field.", "a Conflicts field", OPEN),
        ("A keeper must not light random lamps by the word random_lamp of the tool.", "random_lamp", GUESSED),
        ("In the harbours of the coast a lamp is the rule rather than the exception.", "the exception", OPEN),
        ("The number of lamps in harbours is equal to the number of lamps in the towers.",
         "the number of lamps in the towers", OPEN),
        ("The new command is \\lampcolour, as it says.", "\\lampcolour", OPEN),
        ("The long row of lamps without any of the names of Maren Holt in it.", "Maren Holt", LEANING),
    ],
)  # fmt: skip
def test_what_says_little_comes_behind_what_says_more(
    sentence: str, answer: str, rank: int
) -> None:
    assert min(ranked(each).rank for each in candidates(sentence, answer)) == rank


@pytest.mark.parametrize(
    "piece", ["a lamp is used to ", "because x if y ", "/usr/lib ", 'so that "a b ']
)
def test_a_very_long_sentence_is_not_searched(piece: str) -> None:
    begun = time.process_time()
    assert extract(Document("d", "d", piece * 10_000 + ".", "d.txt"), 9, 0).pairs == ()
    assert time.process_time() - begun < 5
