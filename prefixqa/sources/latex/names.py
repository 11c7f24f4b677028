"""What LaTeX's commands and environments mean for a reader of plain text."""

from html.entities import html5

# Commands whose arguments nobody reads: how many in braces, after any in brackets.
DROPPED: dict[str, int] = {
    name: count
    for count, names in {
        0: "maketitle tableofcontents listoffigures listoftables centering raggedright raggedleft small tiny "
        "footnotesize scriptsize normalsize large Large LARGE huge Huge bf it rm sf tt sl sc em bfseries "
        "itshape rmfamily sffamily ttfamily slshape scshape upshape mdseries normalfont boldmath unboldmath "
        "selectfont noindent indent newpage clearpage cleardoublepage pagebreak nopagebreak linebreak "
        "nolinebreak allowbreak smallskip medskip bigskip hfill hfil vfill vfil hrulefill dotfill protect "
        "relax appendix mainmatter frontmatter backmatter printindex makeindex makeglossary "
        "printbibliography "
        "displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits left right big Big bigg Bigg "
        "bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle nonumber notag leavevmode strut null hline "
        "toprule midrule bottomrule endhead endfirsthead endfoot endlastfoot sloppy fussy flushbottom "
        "raggedbottom onecolumn makeatletter makeatother null @ / - ! begingroup endgroup bgroup egroup "
        "expandafter noexpand global long outer immediate ignorespaces unskip nobreak filbreak goodbreak "
        "vss hss frenchspacing nonfrenchspacing ExplSyntaxOn ExplSyntaxOff AtBeginDocument samepage "
        "obeylines obeyspaces offinterlineskip nointerlineskip newblock xspace em",
        1: "label cite citep citet citealp citealt citeauthor citeyear citeyearpar nocite parencite textcite "
        "autocite footcite Cite Citet Citep ref pageref eqref autoref nameref vref vpageref cref Cref "
        "hypertarget* vspace hspace bibliography bibliographystyle addbibresource usepackage RequirePackage "
        "documentclass documentstyle pagestyle thispagestyle pagenumbering index glossary color "
        "includegraphics "
        "includesvg psfig epsfig phantom hphantom vphantom cline cmidrule stepcounter refstepcounter "
        "usecounter newcounter usetikzlibrary geometry hypersetup lstset graphicspath "
        "footnotemark theoremstyle "
        "hyphenation markright newlength newsavebox ProvidesFile ProvidesPackage ProvidesClass "
        "PassOptionsToPackage RequireVersion NeedsTeXFormat linespread captionsetup sisetup tikzset "
        "input@path rowcolor cellcolor columncolor arrayrulecolor DeclareGraphicsExtensions enlargethispage "
        "fontfamily fontseries fontshape fontencoding usefont@ CheckSum CodelineIndex hskip@ includeonly "
        "definecolorset pgfplotsset setmainfont setsansfont setmonofont DoNotIndex GetFileInfo addvspace",
        2: "setlength addtolength setcounter addtocounter fontsize rule markboth definecolorseries newfont "
        "settowidth settoheight settodepth setkeys hyphenchar@ numberwithin counterwithin addcontentsline@ "
        "DeclareOption newcolumntype DeclareUnicodeCharacter setbeamertemplate raisebox@ SetMathAlphabet@ "
        "DeclareMathAlphabet@ crefname Crefname",
        3: "definecolor addcontentsline titlespacing DeclareSymbolFont@ colorlet@ renewenvironment@",
    }.items()
    for name in names.split()
}
# Commands before whose text other arguments stand: how many are dropped; the text itself stays.
BEFORE_TEXT: dict[str, int] = {
    "href": 1, "textcolor": 1, "colorbox": 1, "fcolorbox": 2, "parbox": 1, "raisebox": 1, "hyperlink": 1,
    "hypertarget": 1, "multicolumn": 2, "multirow": 2, "scalebox": 1, "rotatebox": 1, "resizebox": 2,
    "foreignlanguage": 1, "selectlanguage": 1, "adjustbox": 1, "savebox": 1, "sbox": 1,
    "makebox": 0, "framebox": 0, "hyperref": 0, "caption": 0, "pdfbookmark": 1,
}  # fmt: skip
SECTIONS = (
    "part",
    "chapter",
    "section",
    "subsection",
    "subsubsection",
    "paragraph",
    "subparagraph",
)
VERBATIM = (
    "verbatim", "Verbatim", "lstlisting", "minted", "BVerbatim", "LVerbatim", "SaveVerbatim", "verbatimtab",
    "spverbatim", "alltt", "listing", "tcblisting", "filecontents", "macrocode", "code", "semiverbatim",
)  # fmt: skip
SKIPPED = ("comment", "tikzpicture", "picture", "pspicture", "pgfpicture", "filecontents", "CCSXML")
TABLES: dict[str, int] = {  # and how many arguments in braces stand before the cells
    "tabular": 1, "tabular*": 2, "tabularx": 2, "tabulary": 2, "longtable": 1, "supertabular": 1,
    "xtabular": 1, "tblr": 1, "longtblr": 1, "array": 1, "tabu": 1, "longtabu": 1, "xltabular": 2,
    "deluxetable": 1,
}  # fmt: skip
MATHS = (
    "math", "displaymath", "equation", "align", "alignat", "gather", "multline", "eqnarray", "flalign",
    "xalignat", "subequations", "dmath", "IEEEeqnarray",
)  # fmt: skip
ARGUMENTS: dict[str, int] = {  # of other environments: how many in braces are no text
    "minipage": 1, "multicols": 1, "wrapfigure": 2, "wraptable": 2, "list": 2, "adjustwidth": 2,
    "thebibliography": 1, "alignat": 1, "xalignat": 1, "spacing": 1, "sloppypar": 0, "IEEEeqnarray": 1,
    "otherlanguage": 1, "subfigure": 1, "subtable": 1, "turn": 1, "rotate": 1, "lrbox": 1, "trivlist": 0,
}  # fmt: skip
SYMBOLS: dict[str, str] = {
    "%": "%", "&": "&", "#": "#", "_": "_", "{": "{", "}": "}", "$": "$", " ": " ", ",": " ", ";": " ",
    ":": " ", ">": " ", "|": "‖", "LaTeX": "LaTeX", "TeX": "TeX", "LaTeXe": "LaTeX 2e", "BibTeX": "BibTeX",
    "MF": "METAFONT", "AmS": "AMS", "XeTeX": "XeTeX", "LuaTeX": "LuaTeX", "pdfTeX": "pdfTeX", "eTeX": "eTeX",
    "XeLaTeX": "XeLaTeX", "LuaLaTeX": "LuaLaTeX", "pdfLaTeX": "pdfLaTeX", "AmSLaTeX": "AMS-LaTeX", "AmSTeX":
    "AMS-TeX", "SLiTeX": "SLiTeX", "ldots": "...", "dots": "...", "cdots": "...", "vdots": "...", "ddots":
    "...", "dotsc": "...", "dotsb": "...", "dotsm": "...", "dotsi": "...", "textellipsis": "...", "ss": "ß",
    "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł",
    "i": "ı", "j": "ȷ", "S": "§", "P": "¶", "dag": "†", "ddag": "‡", "pounds": "£", "copyright": "©",
    "textcopyright": "©", "textregistered": "®", "texttrademark": "™", "textbackslash": "\\", "backslash":
    "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<", "textgreater": ">",
    "textbraceleft": "{", "textbraceright": "}", "lbrace": "{", "rbrace": "}", "textunderscore": "_",
    "textendash": "–", "textemdash": "—", "textquoteright": "'", "textquoteleft": "'", "textquotedbl": '"',
    "textquotedblleft": '"', "textquotedblright": '"', "textdegree": "°", "degree": "°", "textmu": "µ",
    "texteuro": "€", "euro": "€", "textdollar": "$", "textbullet": "•", "textperiodcentered": "·",
    "textnumero": "№", "guillemotleft": "«", "guillemotright": "»", "textsterling": "£", "textyen": "¥",
    "textexclamdown": "¡", "textquestiondown": "¿", "slash": "/", "textpm": "±", "texttimes": "×",
    "quad": " ", "qquad": "  ", "enspace": " ", "thinspace": " ", "space": " ", "nobreakspace": " ",
    "thickspace": " ", "medspace": " ", "enskip": " ", "tab": " ", "newline": "\n", "cr": "\n",
    "tabularnewline": "\n",
    "infty": "∞", "to": "→", "gets": "←", "neq": "≠", "ne": "≠", "leq": "≤", "geq": "≥",
    "notin": "∉", "in": "∈",
    "exists": "∃", "neg": "¬", "lnot": "¬", "land": "∧", "lor": "∨", "cdot": "·", "partial": "∂",
    "emptyset": "∅",
    "varnothing": "∅", "langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|", "vert": "|", "lVert": "‖",
    "rVert": "‖", "Vert": "‖", "mid": "|", "colon": ":", "prime": "'", "subset": "⊂", "ast": "*", "star": "⋆",
    "circ": "∘", "bullet": "•", "ell": "ℓ", "hbar": "ħ", "epsilon": "ε", "varepsilon": "ε",
    "varphi": "φ", "phi": "φ",
    "sqcup": "⊔", "wedge": "∧", "vee": "∨", "mapsto": "↦", "implies": "⟹", "iff": "⟺",
    "propto": "∝", "bmod": "mod",
    "lq": "'", "rq": "'", "today": "", "-": "", "*": "",
}  # fmt: skip
# The same names as some classes write them: "\\latex/".
LOGOS = {name.lower(): shown for name, shown in SYMBOLS.items() if name.endswith("TeX")}
FUNCTIONS = frozenset(
    [
        "arccos",
        "arcsin",
        "arctan",
        "arg",
        "cos",
        "cosh",
        "cot",
        "coth",
        "csc",
        "deg",
        "det",
        "dim",
        "exp",
        "gcd",
        "hom",
        "inf",
        "ker",
        "lg",
        "lim",
        "liminf",
        "limsup",
        "ln",
        "log",
        "max",
        "min",
        "Pr",
        "sec",
        "sin",
        "sinh",
        "sup",
        "tan",
        "tanh",
        "mod",
    ]
)
ACCENTS: dict[str, str] = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323", "b": "\u0331", "k": "\u0328",
    "r": "\u030a", "t": "\u0361", "hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7",
    "dot": "\u0307", "ddot": "\u0308",
}  # fmt: skip
# Commands that change only how their text looks.
KEEPS_TEXT = frozenset(
    [
        "emph",
        "textbf",
        "textit",
        "texttt",
        "textsf",
        "textsl",
        "textsc",
        "textup",
        "textmd",
        "underline",
        "uline",
        "mathrm",
        "mathbf",
        "mathit",
        "mathsf",
        "mathtt",
        "mathcal",
        "mathbb",
        "mathfrak",
        "mathscr",
        "boldsymbol",
        "bm",
        "operatorname",
        "overline",
        "widehat",
        "widetilde",
        "uppercase",
        "lowercase",
        "MakeUppercase",
        "MakeLowercase",
        "fbox",
        "hbox",
        "mathop",
        "mathrel",
        "mathbin",
        "mathord",
        "overbrace",
        "underbrace",
        "stackrel",
        "overset",
        "underset",
        "centerline",
        "enquote",
        "caption",
        "captionof",
        "url",
        "footnotesize",
        "textsuperscript",
        "textsubscript",
        "ensuremath",
        "email",
        "vbox",
        "vtop",
        "llap",
        "rlap",
        "smash",
        "so",
        "hl",
        "mathstrut",
        "sup",
        "sub",
        "pkg",
        "cls",
        "env",
        "file",
        "textcolor",
        "marg",
        "oarg",
        "substack",
        "usebox",
        "unhbox",
        "string",
        "textquote",
        "usefont",
    ]
)
# Classes in which a bar stands around text as it is.
BARS = ("ltxdoc", "ltxguide", "l3doc", "ltnews", "amsdtx", "ltx-talk", "gmdocc", "cnltx-doc")


def symbol(name: str, maths: bool) -> str | None:
    """The character a command stands for; None for what is no symbol.

    In formulas, names that are not in ``SYMBOLS`` are looked up among HTML's entities, which took the
    mathematical ones from TeX.
    """
    if name in SYMBOLS:
        return SYMBOLS[name]
    if name in FUNCTIONS:
        return f"{name} "
    return html5.get(f"{name};") if maths and len(name) > 1 else None
