"""Words that invented documents are made of.

Names, terms and people are drawn from words that the embedded model's tokenizer keeps whole or nearly
so; the lists are data of the set: changing one changes every document (``prose.GENERATOR``).
"""


def words(text: str) -> tuple[str, ...]:
    """The words of a text that lists them with blanks between."""
    return tuple(text.split())


ADJECTIVES = words("""
    ancient black blue brave brief bright broad broken calm careful clean clear clever cloudy cold
    cool curious curved daily damp dark deep dry dusty eager early earthy elegant faded faint famous
    fancy fertile festive few fine fluffy foamy fresh frozen gentle giant glossy golden green happy
    hasty hidden hollow humble icy jolly keen large late level light little lively lonely loud lucky
    lush marked mellow merry mild misty modern narrow neat new noble noisy old open optimal orange
    oval pale patient placid plain polished proud purple quaint quick quiet rapid rare ripe robust
    round royal rural rustic salty sandy secret shaggy sharp shiny short shy silent silky simple
    sleepy slow small smooth soft solid spare square steady steep stormy strange strong subtle sunny
    sweet swift tall tame tender thin thirsty tidy tiny upbeat vast warm wary wide wild wise wooden
    yellow young""")

NOUNS = words("""
    acorn anchor angle apple arch arrow axis badge balance balloon band barrel basin basket bath
    beacon beam bean bear bell bench berry bird blade bloom board boat bolt bonnet book boot bottle
    bow bramble branch brass bread breeze brick bridge brook brush bucket button cake camp candle
    canoe cape card carpet cart castle cedar chain chair chalk chest circle citizen clam clay cloak
    clock cloud clover coal coat comb compass copper coral cord corn cottage cotton crater creek
    cross crow crown crumb crystal curtain dance dawn desk dial diamond dish dolphin door dove dragon
    drift drum duck dune eagle earth echo elm ember engine falcon feather fence fern ferry fiddle
    field finch flag flint flower flute forest fork fossil fountain fox frost fruit galaxy garden
    gate ginger glacier glade glass glove goat grain granite grass grove guitar gull hammer harbor
    harp hawk hazel hearth hedge helmet herb hero heron hill hinge holly honey horn horse house
    igloo ink iris island ivory jacket jar jewel kettle key kite knot lace ladder lake lamp lantern
    lark lattice laurel leaf lemon lever lily lime linen lion lizard lock locust loom lotus lunch
    magnet magpie mango maple marble market marsh mask mast meadow melon meteor mill mirror mist moon
    mortar moss moth mountain nectar needle nest nickel night north novel oak oasis ocean olive onion
    orbit orchard otter owl oxygen paddle page palm panda paper parrot path peach pear pebble pepper
    pencil pepper piano pilgrim pillar pillow pine pipe planet plank plate plow plum pocket pond
    pony poplar porch port pot powder prairie print prism pulse pumpkin quarry quartz quill quilt
    rabbit raft rail rain rake raven reed ribbon ridge ring river robin rock rocket root rope rose
    ruby saddle sage sail salmon sand satin sea seal seed shadow shed shell shield ship shoe shore
    silk silver skate slate sled slope snow sock sofa song spade spark sparrow spear spider spiral
    spoon spring spruce squash stamp star steam stone stool storm straw stream summit sun swan switch
    table temple tent thistle thorn thread thunder ticket tiger tile timber topaz torch tower track
    trail train tray tree trout trumpet tulip tunnel turtle umbrella valley vase velvet vine violet
    violin wagon walnut water wave wheat wheel whistle willow wind window wing winter wolf wood wool
    wren yarn zebra zone""")

# Halves of a technical term, as in "tide-lamp".
TERM_HEADS = words("""
    ash bay bell bone brine chalk coil cord crust dew drift dust echo edge fog frost glass gravel
    grit husk kelp lime loam marl mud peat pitch pulse reed resin rim rust sap scree shade silt slag
    slate sleet soot steam tar tide wax whey wind""")
TERM_TAILS = words("""
    band bar bed bend block bow box cap case clip cup disk fork frame gap gate head hook line link
    lock loop mark mesh neck pan peg pin plate plug post rest rod roll seat shoe sheet step stop trap
    tray wall way well yoke""")

FIRST_NAMES = words("""
    Ada Alba Anders Anton Arne Beatrix Bela Bruno Carla Cato Clara Conrad Dora Edda Elias Elsa Emil
    Enno Erik Esther Felix Flora Frida Gerd Greta Hanna Hugo Ida Igor Ilse Ines Ivo Jana Jonas Josef
    Karin Kaspar Lena Leo Lida Lorenz Luise Magda Malte Mara Marek Mila Milo Nadia Nils Nora Olaf Olga
    Oskar Otto Paula Petra Pia Rita Roland Rosa Ruth Samuel Selma Silas Sofie Stella Sven Tilda Timo
    Tom Ulla Vera Viktor Wanda Xenia Yara Zeno""")
SURNAME_STARTS = words("""
    Alder Ander Ash Bar Beck Berg Birk Brand Carl Dahl Dorn Eck Eld Falk Fern Finn Gar Grim Hag
    Halv Hart Holm Jar Kell Kol Lang Lind Lor Mar Mer Nor Oster Pell Quill Ran Rid Sand Ser Sol Stern
    Tarn Thor Ulm Var Vell Wald Wend Win Yel Zell""")
SURNAME_ENDS = words("""
    bach berg by dal den ders feld gard hagen holt ing ker land low man mark ner
    rick sen sted ster ton vik wald wick""")

TOWNS = tuple(
    a + b
    for a in words(
        "Amber Ash Black Cold Dun East Elm Fair Glen Grey High King Long Mill North Oak Red"
    )
    for b in words(
        "bridge brook bury cross dale ford gate ham haven holm mere mouth pool stead well"
    )
)
MATERIALS = tuple(
    f"{grade} {stuff}"
    for grade in words("white red black grey soft hard rolled cast old raw dry pale rough smooth")
    for stuff in words("""
    brass bronze cedar clay copper cork cotton felt glass granite iron ivory leather
    linen marble nickel oak paper pine rubber silk slate steel stone tin walnut wool zinc""")
)
COLOURS = tuple(
    f"{shade} {colour}"
    for shade in words("pale dark bright deep dull light warm dusty")
    for colour in words("amber blue brown green grey orange pink purple red silver violet yellow")
)
PLACES = tuple(
    f"the {side} {place}"
    for side in words("north south east west upper lower inner outer old new long")
    for place in words("""
    barn cellar corridor court deck dock gallery garden hall kitchen ladder loft
    passage pier porch quay ramp ridge shed stair store terrace tower wall yard""")
)
SUBJECTS = tuple(
    f"the {what} of {whose}"
    for what in words("anatomy chemistry drawing flight growth history physics repair songs trade")
    for whose in words("""
    ants bells birds boats bridges clocks corals ferns glaciers lakes lamps mosses
    owls rivers seals seeds shells stars tides winds""")
)
