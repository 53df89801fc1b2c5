# SPDX-License-Identifier: Apache-2.0
"""Makers of exercises: sums, lists, brackets and recall, each checkable from its text."""

import random

from text_parts import (
    BOYS,
    COLOURS,
    Document,
    GIRLS,
    NUMBER_WORDS,
    THINGS,
    coined_words,
)


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
                rest = left - right
                lines.append(f"{left} - {right} = {rest}; {rest} + {right} = {left}")
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
