# SPDX-License-Identifier: Apache-2.0
"""Words and phrases that the makers of documents share."""

import random
from dataclasses import dataclass

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
