"""Lists of plain words, of our own choice."""


def listed(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


# Three of them make a key: 96 to the third power, some 880,000.
WORDS = listed("""
    amber anchor apple arrow badge barrel basket beacon bell blanket boat bottle branch brick
    bridge broom bucket button cabin candle canvas carpet castle chain chalk cherry clover coin
    copper cotton cradle crown curtain dagger daisy desk drum ember engine feather fence fern
    field flute forest fountain garden garnet gate ginger glove grain hammer harbor hazel helmet
    honey island ivory jacket kettle ladder lamp lantern lemon linen locket maple marble meadow
    mirror needle nutmeg olive orchard paddle pebble pepper pillow pocket quarry ribbon river
    saddle saffron sailor silver spindle spoon stable table thistle timber velvet violet window
""")
GOODS = listed("""
    oak wool salt rope iron flax cork tar silk rice corn coal wax hemp lime clay jute zinc lead
    tin beef pork eels cod figs dates peas oats rye barley malt hops tea cocoa sugar paper glass
    brass steel nails tiles slate sand stone straw hay seeds bulbs soap ink paint varnish resin
    amber pearls furs hides lace
""")
