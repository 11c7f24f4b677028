"""The prose around the facts: settings, openings of sentences, and sentences that state nothing asked.

Fillers name no item, so that none can contradict a fact or answer a question.
"""

import random
from dataclasses import dataclass

GENERATOR = "template-1"  # goes into every row; another text for one seed needs another version


@dataclass(frozen=True)
class Setting:
    """A kind of document.

    Attributes:
        titles: with ``{name}``; the document's heading.
        things, events, people: kinds of items, as in "the rig".
        crew: who acts in the fillers. sites: where. goods: what they handle.
        sections: headings.
    """

    titles: tuple[str, ...]
    things: tuple[str, ...]
    events: tuple[str, ...]
    people: tuple[str, ...]
    crew: tuple[str, ...]
    sites: tuple[str, ...]
    goods: tuple[str, ...]
    sections: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


SETTINGS = (
    Setting(
        _words("Annual report of the {name} station, Ten winters at the {name} station"),
        _words("rig, mast, cabin, probe, sled, stove, drill, tent"),
        _words("survey, trial, march, storm watch"),
        _words("engineer, cook, doctor, guide"),
        _words("the crew, the winter party, the relief team, the drivers, both watches"),
        _words("the ice shelf, the north camp, the landing place, the store, the long slope"),
        _words("fuel drums, samples, spare parts, tins, batteries, parcels"),
        _words(
            "Buildings and stores, Life on the ice, Field work, Instruments, Travel, Health, Plans"
        ),
    ),
    Setting(
        _words("History of the {name} company, The {name} works: a portrait"),
        _words("press, loom, kiln, crane, furnace, lathe, pump, mill"),
        _words("strike, contract, fair, merger"),
        _words("founder, clerk, foreman, designer"),
        _words("the workers, the night shift, the owners, the apprentices, the sales office"),
        _words("the old hall, the yard, the canal wharf, the drawing office, the warehouse"),
        _words("orders, bales, castings, tools, ledgers, coal sacks"),
        _words("Early years, Machines, People, Markets, The yard, Troubles, What remained"),
    ),
    Setting(
        _words("Log of the ship {name}, The voyages of the {name}"),
        _words("boat, winch, anchor, compass, sail, chart table, net, lifeboat"),
        _words("passage, rescue, haul, harbor stay"),
        _words("captain, mate, surgeon, stoker"),
        _words("the hands, the officers, the passengers, the deck watch, the divers"),
        _words("the open sea, the strait, the home port, the reef, the lower deck"),
        _words("crates, nets, barrels, letters, planks, ropes"),
        _words("The ship, Crew, Northern waters, Repairs, Trade, Weather, The last season"),
    ),
    Setting(
        _words("Guide to the {name} garden, The {name} garden through the years"),
        _words("pavilion, greenhouse, fountain, bridge, bench, statue, pump house, aviary"),
        _words("exhibition, planting, concert, plant hunt"),
        _words("gardener, patron, painter, botanist"),
        _words("the gardeners, the visitors, the trustees, the school classes, the volunteers"),
        _words("the rose walk, the upper terrace, the pond, the nursery, the south gate"),
        _words("seeds, bulbs, cuttings, pots, labels, young trees"),
        _words("The grounds, Under glass, Water, Collections, Keepers, Visitors, The seasons"),
    ),
    Setting(
        _words("Yearbook of the {name} observatory, Notes from the {name} observatory"),
        _words("telescope, dome, clock, spectrograph, mirror, antenna, camera, generator"),
        _words("campaign, calibration, eclipse trip, night run"),
        _words("astronomer, optician, librarian, student"),
        _words(
            "the observers, the night staff, the visitors' committee, the technicians, the students"
        ),
        _words("the ridge, the library, the south dome, the valley road, the workshop"),
        _words("plates, drawings, tapes, lenses, tables of figures, instruments"),
        _words("Instruments, Campaigns, Staff, The site, Methods, Accidents, Outlook"),
    ),
    Setting(
        _words("Records of the {name} museum, The {name} museum and its collection"),
        _words("cabinet, tapestry, organ, carriage, globe, statue, safe, lift"),
        _words("auction, restoration, loan, excavation"),
        _words("curator, donor, restorer, guard"),
        _words("the curators, the guards, the donors, the conservation team, the board"),
        _words("the east wing, the vault, the reading room, the courtyard, the attic"),
        _words("coins, letters, frames, maps, vases, photographs"),
        _words("The house, Acquisitions, Conservation, Exhibits, Persons, Security, Finances"),
    ),
)

# Words in front of a fact; the stem goes on in lower case.
OPENINGS = _words(
    """By the last count; As the log shows; For the record; According to the archive; To be exact;
    As far as is known; By all accounts; It is noted that; On paper; In the words of the inventory;
    After some debate it was settled that; A margin note says that; As every newcomer is told;
    The register adds that; Two sources agree that; Strange to say""".replace(",", " ").replace(
        ";", ","
    )
)

FILLERS = (
    "{Crew} spent most of the {season} moving {goods} from {site} to {site2}.",
    "For some weeks {crew} could not reach {site}, and {goods} had to wait.",
    "Nobody had expected so much {weather} at {site}, least of all {crew}.",
    "What {crew} wanted was more room for {goods}; what they got was a new lock.",
    "There is little to say about {site} in those days, except that it was {state}.",
    "In the {season} {site} was {state}, and {crew} kept away from it.",
    "{Crew} argued about {goods} for a whole evening and then agreed to leave things as they were.",
    "A part of the path to {site} was lost to {weather} and never cleared again.",
    "Old hands still talk of the {season} when {goods} ran short.",
    "It was the habit of {crew} to meet at {site} before work and to count {goods}.",
    "Later visitors found {site} {state} and wondered what {crew} had done there.",
    "Much of this would be forgotten if {crew} had not kept notes about {goods}.",
    "The smell of {goods} hung over {site} until the {season}.",
    "When {weather} came early, {crew} carried {goods} indoors and hoped for the best.",
    "Plans to enlarge {site} were made, put off, and made again.",
    "Some of the {goods} were given away, some sold, and the rest was simply left at {site}.",
    "Between {site} and {site2} there was nothing but {weather} and patience.",
    "{Crew} were proud of {site}, though it was {state} for half of the year.",
    "A short {season} followed, and with it the usual trouble about {goods}.",
    "Few complaints have survived, and most of them concern {weather} rather than {goods}.",
    "On quiet evenings {crew} sat near {site} and repaired whatever had broken.",
    "Whether {goods} were ever counted properly is a question that {crew} preferred not to raise.",
    "The next pages of the record are stained by {weather} and hard to read.",
    "By then {site} had become {state}, and {goods} were kept elsewhere.",
    "One rule was never broken: {goods} did not leave {site} without a signature.",
    "{Crew} learned slowly, as people do, and {weather} was their teacher.",
    "It would be wrong to see in this more than a quarrel about {goods}.",
    "All the same, {site} remained the place where news arrived first.",
    "Repairs at {site} were the work of the {season}; {goods} came second.",
    "If {weather} allowed it, {crew} walked as far as {site2} and back.",
    "Opinions differ on this point, and {crew} did not leave a clear account.",
    "The years that followed were calmer, and even {site} looked less {state}.",
    "Letters of that time speak of {weather}, of {goods}, and of little else.",
    "Nothing was wasted: what was left of the {goods} ended up at {site}.",
    "A new lamp at {site} pleased {crew} more than any speech could have done.",
    "From a distance {site} seemed {state}; seen from close by it was merely old.",
)
SEASONS = _words("spring, summer, autumn, winter, cold season, wet season, harvest")
WEATHER = _words("fog, snow, rain, wind, frost, thunder, heat, dust, sleet, drizzle")
STATES = _words(
    "quiet, crowded, half empty, under water, closed, in poor order, freshly swept, cold"
)


def filler(rng: random.Random, setting: Setting) -> str:
    """A sentence of the setting that states no fact."""
    crew = rng.choice(setting.crew)
    site, site2 = rng.sample(setting.sites, 2)
    goods = rng.choice(setting.goods)
    return rng.choice(FILLERS).format(
        crew=crew,
        Crew=capitalised(crew),
        site=site,
        site2=site2,
        goods=goods,
        season=rng.choice(SEASONS),
        weather=rng.choice(WEATHER),
        state=rng.choice(STATES),
    )


def opening(rng: random.Random) -> str:
    """Words before a fact: nothing for most, else an opening with its comma or ``that``."""
    if rng.random() < 0.7:
        return ""
    words = rng.choice(OPENINGS)
    return words + (" " if words.endswith("that") else ", ")


def capitalised(text: str) -> str:
    """The text with a capital first letter and nothing else changed."""
    return text[:1].upper() + text[1:]
