# SPDX-License-Identifier: Apache-2.0
"""Write the seeded, synthetic texts that the tinyworld model is made from.

The documents are short and built so that late tokens depend on early ones
(who holds what, where somebody went, which key had which value): a model must
carry state to predict them, so damage to any of its layers shows in the
perplexity.

Three streams come from one seed: evaluation, calibration and training.  A
document whose normalised text, or whose key (the choices that decided its
content), was seen in an earlier stream is dropped, so the streams are disjoint.
"""

import argparse
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SEPARATOR = "<|endoftext|>"
STREAMS = ("evaluation", "calibration", "training")

GIRLS = (
    "Mira Anna Lena Rosa Tilda Nora Edda Ivy Clara June Petra Wanda Hazel Olga Ruth Selma "
    "Bella Dora Greta Maud"
).split()
BOYS = (
    "Tomas Oskar Felix Hugo Bruno Emil Jonas Pavel Otto Simon Viktor Walter Finn Gilbert Ned "
    "Rufus Casper Igor Leo Martin"
).split()
PLACES = (
    "mill harbour garden market tower barn bakery library forest bridge school stable cave "
    "kitchen workshop chapel station meadow lighthouse cellar"
).split()
THINGS = (
    "lantern rope kettle ladder drum basket mirror hammer blanket flute map coin bottle shovel "
    "candle violin wheel key book clock ring bell cup bucket"
).split()
COLOURS = "red blue green yellow white black silver brown grey golden".split()
QUALITIES = "old new small heavy broken little strange round shiny dusty".split()
MOODS = "sad angry worried unhappy upset cross gloomy afraid".split()
ANIMALS = "dog cat goat pony duck fox owl hen sheep mouse".split()
FOODS = (
    "apples pears plums figs nuts eggs beans onions carrots cakes rolls lemons cherries melons "
    "turnips pies"
).split()
WEATHER = (
    "It was raining.|The sun was warm.|Snow lay on the roofs.|A cold wind blew.|"
    "There was fog in the valley.|The night was clear.|It was a quiet morning.|"
    "The evening was long and bright."
).split("|")
NUMBER_WORDS = "zero one two three four five six seven eight nine ten".split()
SYLLABLES = (
    "ba be bo da de do fa fi ga go ka ke ki la le lo ma mi mo na ne no pa pe ra ri ro sa si so "
    "ta ti to va ve vo za zu"
).split()


@dataclass(frozen=True)
class Document:
    """A text and the choices that make it this document and no other."""

    key: tuple[object, ...]
    text: str


@dataclass(frozen=True)
class Person:
    """Somebody in a story, with the pronouns that refer back to them."""

    name: str
    he: str
    him: str
    his: str

    @property
    def He(self) -> str:  # noqa: N802 - the capitalised pronoun
        return self.he.capitalize()


def people(rng: random.Random, count: int) -> list[Person]:
    """Pick people with different names."""
    return [
        Person(name, "she", "her", "her") if name in GIRLS else Person(name, "he", "him", "his")
        for name in rng.sample(GIRLS + BOYS, count)
    ]


def coined_word(rng: random.Random) -> str:
    """A word the model cannot know and must copy from earlier in the document."""
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 3)))


def coined_words(rng: random.Random, count: int) -> list[str]:
    """Different coined words, in random order."""
    words: dict[str, None] = {}
    while len(words) < count:
        words[coined_word(rng)] = None
    return list(words)


def described(rng: random.Random, thing: str) -> str:
    """A thing with an adjective that later sentences repeat."""
    return f"{rng.choice(COLOURS + QUALITIES)} {thing}"


def joined(items: list[str]) -> str:
    """An English enumeration."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def with_article(phrase: str) -> str:
    """The phrase behind its indefinite article."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def opening(rng: random.Random, hero: Person, place: str) -> list[str]:
    """First sentences of a story, which fix the hero and the home."""
    first = rng.choice(
        (
            f"Once there was a {rng.choice(('girl', 'child')) if hero.he == 'she' else rng.choice(('boy', 'child'))}"
            f" named {hero.name} who lived near the {place}.",
            f"{hero.name} lived in a small house by the {place}.",
            f"In a village with a {place} lived {hero.name}.",
            f"One day {hero.name} was sitting in front of the {place}.",
        )
    )
    return [first, rng.choice(WEATHER)] if rng.random() < 0.6 else [first]


def lost_story(rng: random.Random) -> Document:
    """Somebody loses a thing, asks others, finds it and says thanks."""
    hero, friend, other = people(rng, 3)
    home, wrong, right = rng.sample(PLACES, 3)
    thing = rng.choice(THINGS)
    item, mood = described(rng, thing), rng.choice(MOODS)
    lines = opening(rng, hero, home)
    lines.append(
        rng.choice(
            (
                f"{hero.He} had {with_article(item)}, and {hero.he} took it everywhere.",
                f"{hero.name} loved {hero.his} {item} more than anything.",
                f"{hero.his.capitalize()} best friend was {friend.name}, "
                f"and {hero.his} best treasure was {with_article(item)}.",
            )
        )
    )
    lines.append(
        rng.choice(
            (
                f"But today the {thing} was gone, and {hero.he} was {mood}.",
                f"One morning {hero.he} could not find the {thing} and was {mood}.",
                f"Then the {item} was lost, and {hero.name} was {mood}.",
            )
        )
    )
    ask = rng.choice(
        (
            f'"Have you seen my {item}?" {hero.he} asked {friend.name}.',
            f'{hero.name} ran to {friend.name} and said, "My {thing} is gone!"',
        )
    )
    lines.append(ask)
    lines.append(
        rng.choice(
            (
                f'"Maybe it is in the {wrong}," said {friend.name}.',
                f'{friend.name} said, "Look in the {wrong}."',
            )
        )
    )
    lines.append(f"They went to the {wrong}, but the {thing} was not there.")
    lines.append(
        rng.choice(
            (
                f'In the {wrong} they met {other.name}. "I saw {with_article(item)} in the {right}," {other.he} said.',
                f'{other.name} came by and said, "There is {with_article(item)} in the {right}."',
            )
        )
    )
    lines.append(
        rng.choice(
            (
                f"So {hero.name} and {friend.name} walked from the {wrong} to the {right}.",
                f"{hero.name} left the {wrong} and ran to the {right}.",
            )
        )
    )
    lines.append(
        rng.choice(
            (
                f"There was the {item}!",
                f"The {item} lay in the {right}, just as {other.name} had said.",
            )
        )
    )
    lines.append(
        rng.choice(
            (
                f'"Thank you, {friend.name}! Thank you, {other.name}!" said {hero.name}.',
                f"{hero.name} thanked {other.name} and took the {thing} back home to the {home}.",
                f"That evening {hero.name} was not {mood} any more, for {hero.he} had {hero.his} {item} again.",
            )
        )
    )
    return Document(("lost", hero.name, friend.name, other.name, item, wrong, right), " ".join(lines))


def trade_story(rng: random.Random) -> Document:
    """A chain of swaps: each step depends on what the hero holds by then."""
    hero, *partners = people(rng, rng.randint(3, 5))
    home = rng.choice(PLACES)
    things = rng.sample(THINGS, len(partners) + 1)
    items = [described(rng, thing) for thing in things]
    stops = rng.sample([place for place in PLACES if place != home], len(partners))
    lines = opening(rng, hero, home)
    lines.append(
        f"{hero.name} had {with_article(items[0])}, but {hero.he} wanted {with_article(items[-1])}."
    )
    for number, (partner, stop) in enumerate(zip(partners, stops)):
        give, take = items[number], items[number + 1]
        lines.append(
            rng.choice(
                (
                    f"In the {stop} {hero.he} met {partner.name}, who had {with_article(take)}.",
                    f"{partner.name} was in the {stop} with {with_article(take)}.",
                    f"Then {hero.he} went to the {stop}, where {partner.name} kept {with_article(take)}.",
                )
            )
        )
        lines.append(
            rng.choice(
                (
                    f'"Will you give me the {things[number + 1]} for my {give}?" asked {hero.name}. "Yes," said {partner.name}.',
                    f"{partner.name} gave {hero.him} the {take} and got the {give}.",
                    f'"I need {with_article(things[number])}," said {partner.name}. So they traded the {give} for the {take}.',
                )
            )
        )
    lines.append(
        rng.choice(
            (
                f"Now {hero.name} had the {items[-1]} and went home to the {home}.",
                f"{hero.name} was {rng.choice(('happy', 'proud'))} with the {items[-1]}.",
            )
        )
    )
    asked = rng.randrange(len(partners))
    lines.append(
        f"Who has the {things[asked]} now? {partners[asked].name} has the {things[asked]}."
    )
    return Document(
        ("trade", hero.name, *(p.name for p in partners), *items, *stops), " ".join(lines)
    )


def gift_story(rng: random.Random) -> Document:
    """A gift is chosen to fit a wish, hidden, carried and handed over."""
    hero, friend = people(rng, 2)
    home, shop, party = rng.sample(PLACES, 3)
    wanted, *others = (described(rng, thing) for thing in rng.sample(THINGS, 3))
    animal = rng.choice(ANIMALS)
    pet = coined_word(rng).capitalize()
    lines = opening(rng, hero, home)
    lines.append(f"{hero.He} had a {animal} called {pet}.")
    lines.append(
        rng.choice(
            (
                f"It was the birthday of {friend.name}, and {friend.he} wished for {with_article(wanted)}.",
                f'"For my birthday I want {with_article(wanted)}," {friend.name} had said.',
            )
        )
    )
    shown = [wanted, *others]
    rng.shuffle(shown)
    lines.append(f"In the {shop} there were {joined([with_article(item) for item in shown])}.")
    lines.append(
        rng.choice(
            (
                f"{hero.name} took the {wanted} and paid for it.",
                f'"What does {friend.name} want?" asked {hero.name}. {pet} the {animal} looked at the {wanted}.',
            )
        )
    )
    lines.append(
        rng.choice(
            (
                f"On the way to the {party} {pet} ran off with the {wanted.split()[1]}.",
                f"But the {animal} hid the {wanted.split()[1]} under a tree.",
                f"{pet} carried the {wanted} in its mouth.",
            )
        )
    )
    lines.append(
        rng.choice(
            (
                f'"{pet}, come back!" called {hero.name}, and the {animal} came back.',
                f'"Good {animal}, {pet}!" said {hero.name}.',
            )
        )
    )
    lines.append(
        f"At the {party} {friend.name} opened the box. "
        + rng.choice(
            (
                f'"{with_article(wanted).capitalize()}! Thank you, {hero.name}!" {friend.he} said.',
                f"{friend.He} was {rng.choice(('happy', 'proud', 'calm'))} with {friend.his} {wanted}, "
                f"and {pet} the {animal} got a bone from {friend.him}.",
            )
        )
    )
    return Document(("gift", hero.name, friend.name, pet, animal, wanted, shop), " ".join(lines))


def world_report(rng: random.Random) -> Document:
    """People move and carry things; the questions ask for the resulting state."""
    cast = people(rng, rng.randint(2, 4))
    places = rng.sample(PLACES, rng.randint(3, 4))
    things = rng.sample(THINGS, rng.randint(2, 3))
    where = {person.name: rng.choice(places) for person in cast}
    lies = {thing: rng.choice(places) for thing in things}
    held: dict[str, str] = {}
    lines = [f"{person.name} is at the {where[person.name]}." for person in cast]
    lines += [f"The {thing} is at the {lies[thing]}." for thing in things]
    rng.shuffle(lines)
    log: list[str] = []
    for _ in range(rng.randint(6, 12)):
        person = rng.choice(cast)
        here = where[person.name]
        mine = [thing for thing in things if held.get(thing) == person.name]
        near = [thing for thing in things if thing not in held and lies[thing] == here]
        company = [other for other in cast if other != person and where[other.name] == here]
        if near and rng.random() < 0.7:
            thing = rng.choice(near)
            held[thing] = person.name
            log.append(f"{person.name} takes the {thing}.")
        elif mine and company and rng.random() < 0.6:
            thing, other = rng.choice(mine), rng.choice(company)
            held[thing] = other.name
            log.append(f"{person.name} gives the {thing} to {other.name}.")
        elif mine and rng.random() < 0.3:
            thing = rng.choice(mine)
            del held[thing]
            lies[thing] = here
            log.append(f"{person.name} leaves the {thing} at the {here}.")
        else:
            where[person.name] = rng.choice([place for place in places if place != here])
            log.append(f"{person.name} goes to the {where[person.name]}.")
    questions = []
    for thing in things:
        if thing in held:
            owner = held[thing]
            questions.append(
                f"Where is the {thing}? {owner} has it, and {owner} is at the {where[owner]}."
            )
        else:
            questions.append(f"Where is the {thing}? It is at the {lies[thing]}.")
    for person in cast:
        questions.append(f"Where is {person.name}? At the {where[person.name]}.")
    rng.shuffle(questions)
    lines += log + questions[: rng.randint(2, 4)]
    return Document(("world", *lines), " ".join(lines))


def bag_report(rng: random.Random) -> Document:
    """Counted goods change hands; every stated total follows from the story."""
    hero, friend = people(rng, 2)
    foods = rng.sample(FOODS, rng.randint(2, 3))
    counts = {food: rng.randint(2, 20) for food in foods}
    lines = [
        f"{hero.name} has {joined([f'{counts[food]} {food}' for food in foods])} in {hero.his} basket."
    ]
    for _ in range(rng.randint(3, 6)):
        food = rng.choice(foods)
        if rng.random() < 0.5 or counts[food] < 2:
            change = rng.randint(1, 12)
            verb = rng.choice(("buys", "finds", f"gets from {friend.name}"))
            counts[food] += change
            lines.append(f"{hero.He} {verb} {change} more {food}.")
        else:
            change = rng.randint(1, counts[food])
            counts[food] -= change
            verb = rng.choice(("eats", "sells", "loses", f"gives {friend.name}"))
            lines.append(f"{hero.He} {verb} {change} of the {food}.")
        lines.append(
            rng.choice(
                (f"Now there are {counts[food]} {food}.", f"That makes {counts[food]} {food}.")
            )
        )
    rng.shuffle(foods)
    lines.append(f'"What do you have, {hero.name}?" asks {friend.name}.')
    lines.append(f'"I have {joined([f"{counts[food]} {food}" for food in foods])}," says {hero.name}.')
    total = sum(counts.values())
    lines.append(f"All together that is {' + '.join(str(counts[food]) for food in foods)} = {total}.")
    return Document(("bag", *lines), " ".join(lines))


def journey(rng: random.Random) -> Document:
    """A walk through places and the same walk backwards."""
    hero, friend = people(rng, 2)
    stops = rng.sample(PLACES, rng.randint(4, 6))
    seen = [described(rng, thing) for thing in rng.sample(THINGS, len(stops) - 1)]
    lines = [f"{hero.name} starts at the {stops[0]}."]
    for stop, sight in zip(stops[1:], seen):
        lines.append(
            rng.choice(
                (
                    f"{hero.He} walks to the {stop} and sees {with_article(sight)}.",
                    f"At the {stop} {hero.he} finds {with_article(sight)}.",
                    f"Next is the {stop}, with {with_article(sight)}.",
                )
            )
        )
    lines.append(
        f"Then {hero.he} goes all the way back: from the {stops[-1]} "
        + ", ".join(f"to the {stop}" for stop in reversed(stops[:-1]))
        + "."
    )
    order = list(zip(stops[1:], seen))
    rng.shuffle(order)
    for stop, sight in order[: rng.randint(2, 3)]:
        lines.append(
            rng.choice(
                (
                    f'"Where was the {sight.split()[1]}?" asks {friend.name}. "At the {stop}."',
                    f'"What was at the {stop}?" asks {friend.name}. "{with_article(sight).capitalize()}," says {hero.name}.',
                )
            )
        )
    return Document(("journey", hero.name, *stops, *seen), " ".join(lines))


def sums(rng: random.Random) -> Document:
    """Sums with their working, and chains in which each line uses the last."""
    lines = []
    if rng.random() < 0.5:
        for _ in range(rng.randint(5, 9)):
            left, right = rng.randint(1, 99), rng.randint(1, 99)
            if rng.random() < 0.5:
                lines.append(f"{left} + {right} = {left + right}")
            else:
                left, right = max(left, right), min(left, right)
                lines.append(f"{left} - {right} = {left - right}; {left - right} + {right} = {left}")
    else:
        value = rng.randint(1, 50)
        lines.append(f"start with {value}")
        for _ in range(rng.randint(6, 11)):
            step = rng.randint(1, 30)
            if rng.random() < 0.5 or step > value:
                lines.append(f"add {step}: {value} + {step} = {value + step}")
                value += step
            else:
                lines.append(f"take {step}: {value} - {step} = {value - step}")
                value -= step
        lines.append(f"the end is {value}")
    return Document(("sums", *lines), "\n".join(lines))


def table_of(rng: random.Random) -> Document:
    """A run of multiples that starts somewhere and goes up or down."""
    step, first, length = rng.randint(2, 19), rng.randint(1, 90), rng.randint(9, 16)
    series = [first + step * index for index in range(length)]
    word = "up"
    if rng.random() < 0.5:
        series.reverse()
        word = "down"
    text = (
        f"Count {word} by {step} from {series[0]} to {series[-1]}: "
        + ", ".join(map(str, series))
        + f". There are {length} numbers. The first is {series[0]}, the last is {series[-1]}."
    )
    return Document(("table", word, step, first, length), text)


def lists(rng: random.Random) -> Document:
    """A list, then the list sorted, reversed and counted."""
    kind = rng.choice(("numbers", "things", "names", "words"))
    count = rng.randint(4, 7)
    pool: list[str]
    if kind == "numbers":
        pool = list(map(str, rng.sample(range(1, 100), count)))
        ordered = sorted(pool, key=int)
    else:
        pool = {
            "things": lambda: rng.sample(THINGS, count),
            "names": lambda: rng.sample(GIRLS + BOYS, count),
            "words": lambda: coined_words(rng, count),
        }[kind]()
        ordered = sorted(pool)
    tasks = [
        f"sorted: {', '.join(ordered)}",
        f"reversed: {', '.join(reversed(pool))}",
        f"first: {pool[0]}; last: {pool[-1]}",
        f"count: {NUMBER_WORDS[count]}",
    ]
    rng.shuffle(tasks)
    text = "\n".join([f"list of {kind}: {', '.join(pool)}", *tasks[: rng.randint(2, 4)]])
    return Document(("list", kind, *pool), text)


def nested(rng: random.Random, depth: int) -> str:
    """A bracketed expression whose closers must mirror its openers."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice("abcdefgh")
    opener, closer = rng.choice(("()", "[]", "{}", "<>"))
    inside = " ".join(nested(rng, depth - 1) for _ in range(rng.randint(1, 3)))
    return f"{opener} {inside} {closer}"


def brackets(rng: random.Random) -> Document:
    """Lines of nested brackets, each followed by its letters and its depth."""
    lines = []
    while sum(map(len, lines)) < 130:
        expression = nested(rng, rng.randint(2, 4))
        if len(expression) > 90 or len(expression) < 9:
            continue
        depth = deepest = 0
        for sign in expression:
            depth += (sign in "([{<") - (sign in ")]}>")
            deepest = max(deepest, depth)
        letters = "".join(filter(str.isalpha, expression))
        lines.append(f"{expression} ; letters {letters} ; depth {deepest}")
    return Document(("brackets", *lines), "\n".join(lines))


def recall(rng: random.Random) -> Document:
    """Coined keys with values, asked for in another order."""
    count = rng.randint(4, 7)
    keys = coined_words(rng, count)
    values = [
        rng.choice((str(rng.randint(10, 99)), rng.choice(COLOURS), rng.choice(THINGS)))
        for _ in keys
    ]
    pairs = list(zip(keys, values))
    lines = [f"{key} = {value}" for key, value in pairs]
    rng.shuffle(pairs)
    lines += [f"what is {key}? {value}" for key, value in pairs[: rng.randint(3, count)]]
    owner = rng.choice(pairs)
    if values.count(owner[1]) == 1:
        lines.append(f"which one is {owner[1]}? {owner[0]}")
    return Document(("recall", *keys, *values), "\n".join(lines))


def talk(rng: random.Random) -> Document:
    """Quoted speech: a price is asked, a note is repeated, a total is named."""
    seller, buyer = people(rng, 2)
    place = rng.choice(PLACES)
    foods = rng.sample(FOODS, rng.randint(2, 3))
    prices = {food: rng.randint(2, 9) for food in foods}
    lines = [
        f"{seller.name} sells {joined(foods)} at the {place}.",
        f'"Good day, {seller.name}," says {buyer.name}. "What do the {foods[0]} cost?"',
    ]
    lines += [f'"The {food} cost {prices[food]} coins."' for food in foods]
    total = 0
    for food in rng.sample(foods, rng.randint(1, len(foods))):
        amount = rng.randint(2, 9)
        cost = amount * prices[food]
        total += cost
        lines.append(
            f'"Then I take {NUMBER_WORDS[amount]} {food}," says {buyer.name}. '
            f'"{amount} times {prices[food]} is {cost}," says {seller.name}.'
        )
    lines.append(f'"All together {total} coins, {buyer.name}," {seller.he} says.')
    message = f"{rng.choice(people(rng, 5)).name} is waiting in the {rng.choice(PLACES)}"
    lines.append(
        f'"Please tell {rng.choice(("my brother", "my sister", "the teacher", "the miller"))} '
        f'that {message}," says {buyer.name}. "I will say that {message}," says {seller.name}.'
    )
    return Document(("talk", *lines), " ".join(lines))


def rhyme(rng: random.Random) -> Document:
    """A verse that grows by a line each time and repeats all earlier lines."""
    hero = people(rng, 1)[0]
    count = rng.randint(3, 4)
    items = [described(rng, thing) for thing in rng.sample(THINGS, count)]
    places = rng.sample(PLACES, count)
    animals = rng.sample(ANIMALS, count)
    lines = []
    for number in range(count):
        verse = [f"the {items[i]} and the {animals[i]} in the {places[i]}" for i in range(number, -1, -1)]
        lines.append(f"{hero.name} saw " + ", ".join(verse) + ".")
    return Document(("rhyme", hero.name, *items, *animals, *places), "\n".join(lines))


KINDS: tuple[tuple[Callable[[random.Random], Document], int], ...] = (
    (lost_story, 18),
    (trade_story, 12),
    (gift_story, 14),
    (world_report, 12),
    (bag_report, 7),
    (journey, 8),
    (sums, 6),
    (table_of, 3),
    (lists, 6),
    (brackets, 4),
    (recall, 6),
    (talk, 7),
    (rhyme, 3),
)


def digest(text: str) -> bytes:
    """A hash that ignores case and spacing."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode("ascii"), digest_size=12).digest()


class Streams:
    """The three disjoint streams of one seed, made in the order of STREAMS."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.taken: set[bytes] = set()
        self.dropped = 0

    def documents(self, stream: str, size: int) -> Iterator[str]:
        """Documents of `stream` until `size` characters, none of them in an earlier stream."""
        rng = random.Random(f"{self.seed}/{stream}")
        makers, weights = zip(*KINDS)
        own: set[bytes] = set()
        written = 0
        while written < size:
            document = rng.choices(makers, weights)[0](rng)
            marks = {digest(document.text), digest(repr(document.key))}
            if marks & self.taken or marks & own:
                self.dropped += 1
                continue
            own |= marks
            written += len(document.text)
            yield document.text
        self.taken |= own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20240)
    parser.add_argument("--output", type=Path, required=True, help="folder for the three texts")
    parser.add_argument("--held-out-size", type=int, default=250_000, help="characters")
    parser.add_argument("--training-size", type=int, default=30_000_000, help="characters")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    streams = Streams(options.seed)
    for stream in STREAMS:
        size = options.training_size if stream == "training" else options.held_out_size
        documents = list(streams.documents(stream, size))
        text = f"\n{SEPARATOR}\n".join(documents) + "\n"
        (options.output / f"{stream}.txt").write_text(text, encoding="ascii")
        print(f"{stream}: {len(documents)} documents, {len(text)} bytes")
    print(f"{streams.dropped} documents dropped as repeated")


if __name__ == "__main__":
    main()
