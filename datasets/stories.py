# SPDX-License-Identifier: Apache-2.0
"""Makers of prose: stories, reports and talks whose sentences depend on each other.

Each maker returns its text with the choices that decided it, so that the same
plot with other words is recognised as a repetition.
"""

import random

from text_parts import (
    ANIMALS,
    Document,
    FOODS,
    MOODS,
    NUMBER_WORDS,
    PLACES,
    Person,
    THINGS,
    WEATHER,
    coined_word,
    described,
    joined,
    people,
    with_article,
)


def opening(rng: random.Random, hero: Person, place: str) -> list[str]:
    """First sentences of a story, which fix the hero and the home."""
    kind = rng.choice(("girl" if hero.he == "she" else "boy", "child"))
    first = rng.choice(
        (
            f"Once there was a {kind} named {hero.name} who lived near the {place}.",
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
                f"In the {wrong} they met {other.name}. "
                f'"I saw {with_article(item)} in the {right}," {other.he} said.',
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
                f"That evening {hero.name} was not {mood} any more, "
                f"for {hero.he} had {hero.his} {item} again.",
            )
        )
    )
    key = ("lost", hero.name, friend.name, other.name, item, wrong, right)
    return Document(key, " ".join(lines))


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
                    f"Then {hero.he} went to the {stop}, "
                    f"where {partner.name} kept {with_article(take)}.",
                )
            )
        )
        lines.append(
            rng.choice(
                (
                    f'"Will you give me the {things[number + 1]} for my {give}?" '
                    f'asked {hero.name}. "Yes," said {partner.name}.',
                    f"{partner.name} gave {hero.him} the {take} and got the {give}.",
                    f'"I need {with_article(things[number])}," said {partner.name}. '
                    f"So they traded the {give} for the {take}.",
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
                f"It was the birthday of {friend.name}, "
                f"and {friend.he} wished for {with_article(wanted)}.",
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
                f'"What does {friend.name} want?" asked {hero.name}. '
                f"{pet} the {animal} looked at the {wanted}.",
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
                f"{friend.He} was {rng.choice(('happy', 'proud', 'calm'))} "
                f"with {friend.his} {wanted}, and {pet} the {animal} got a bone from {friend.him}.",
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
    goods = joined([f"{counts[food]} {food}" for food in foods])
    lines = [f"{hero.name} has {goods} in {hero.his} basket."]
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
    goods = joined([f"{counts[food]} {food}" for food in foods])
    lines.append(f'"I have {goods}," says {hero.name}.')
    terms = " + ".join(str(counts[food]) for food in foods)
    lines.append(f"All together that is {terms} = {sum(counts.values())}.")
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
                    f'"What was at the {stop}?" asks {friend.name}. '
                    f'"{with_article(sight).capitalize()}," says {hero.name}.',
                )
            )
        )
    return Document(("journey", hero.name, *stops, *seen), " ".join(lines))


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
        verse = [
            f"the {items[i]} and the {animals[i]} in the {places[i]}"
            for i in range(number, -1, -1)
        ]
        lines.append(f"{hero.name} saw " + ", ".join(verse) + ".")
    return Document(("rhyme", hero.name, *items, *animals, *places), "\n".join(lines))
