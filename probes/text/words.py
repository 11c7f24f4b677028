"""Short lists of plain words, of our own choice."""

# Three of them make a key: 96 to the third power, some 880,000.
WORDS = (
    *("amber anchor apple arrow badge barrel basket beacon bell blanket boat bottle branch brick bridge").split(),
    *("broom bucket button cabin candle canvas carpet castle chain chalk cherry clover coin copper cotton").split(),
    *("cradle crown curtain dagger daisy desk drum ember engine feather fence fern field flute forest").split(),
    *("fountain garden garnet gate ginger glove grain hammer harbor hazel helmet honey island ivory jacket").split(),
    *("kettle ladder lamp lantern lemon linen locket maple marble meadow mirror needle nutmeg olive orchard").split(),
    *("paddle pebble pepper pillow pocket quarry ribbon river saddle saffron sailor silver spindle spoon").split(),
    *("stable table thistle timber velvet violet window").split(),
)
GOODS = (
    *("oak wool salt rope iron flax cork tar silk rice corn coal wax hemp lime clay jute zinc lead tin").split(),
    *("beef pork eels cod figs dates peas oats rye barley malt hops tea cocoa sugar paper glass brass").split(),
    *("steel nails tiles slate sand stone straw hay seeds bulbs soap ink paint varnish resin amber").split(),
    *("pearls furs hides lace").split(),
)
