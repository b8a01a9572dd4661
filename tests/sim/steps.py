"""One action of a schedule, as data and as a line: a schedule can be read, pasted and played again.

A line is a verb, whom it is about, then ``name=value``; the trouble of the n-th exchange is ``net.n=…``, and
at which point of its work a process dies ``dies=…`` or ``dies.confirm=…``. A line that stands deeper happens
within the one above, at its n-th pause: ``at 3: sync bbb1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_DEEPER: Final = "    "


@dataclass
class Step:
    """One action, what goes wrong in it, and what happens meanwhile."""

    verb: str
    who: str = ""
    """Name of a machine, or of a kiosk; empty where it is about neither."""
    args: dict[str, str] = field(default_factory=dict)
    fates: dict[int, str] = field(default_factory=dict)
    """Trouble of the n-th exchange with central, from 1."""
    within: list[tuple[str, Step]] = field(default_factory=list)
    """What happens at a pause of it, ``3`` for the third, ``w3`` for the third time it writes."""

    def number(self, name: str, default: int = 0) -> int:
        """A value that is a number."""
        return int(self.args.get(name, default))

    def flag(self, name: str) -> bool:
        """True if the word stands there."""
        return name in self.args

    def deaths(self) -> dict[str, int]:
        """Where its processes die, by the part of the work."""
        found = {name: value for name, value in self.args.items() if name.startswith("dies.")}
        return {name[5:]: int(value) for name, value in found.items()}

    def lines(self, depth: int = 0, at: str = "") -> Iterator[str]:
        """Itself, and what happens within it."""
        words = [self.verb, *filter(None, [self.who])]
        words += [f"{name}={value}" if value else name for name, value in self.args.items()]
        words += [f"net.{number}={fate}" for number, fate in sorted(self.fates.items())]
        yield _DEEPER * depth + (f"at {at}: " if at else "") + " ".join(words)
        for place, step in self.within:
            yield from step.lines(depth + 1, place)

    def size(self) -> int:
        """How many actions, deaths and troubles it is made of."""
        own = 1 + len(self.fates) + sum(name.startswith("dies") for name in self.args)
        return own + sum(step.size() for _, step in self.within)


def text_of(steps: list[Step]) -> str:
    """A schedule as lines."""
    return "\n".join(line for step in steps for line in step.lines())


def parse(text: str) -> list[Step]:
    """The schedule that ``text_of`` wrote. Raises ValueError for a line that is none."""
    top: list[Step] = []
    above: list[Step] = []
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        depth, rest = divmod(len(line) - len(line.lstrip()), len(_DEEPER))
        if rest or depth > len(above):
            raise ValueError(f"stands too deep: {line!r}")
        place = ""
        if depth:
            if not bare.startswith("at "):
                raise ValueError(f"does not say when: {line!r}")
            place, _, bare = bare[3:].partition(": ")
        step = _step(bare)
        del above[depth:]
        if above:
            above[-1].within.append((place, step))
        else:
            top.append(step)
        above.append(step)
    return top


def _step(text: str) -> Step:
    verb, *words = text.split()
    step = Step(verb)
    for place, word in enumerate(words):
        name, sign, value = word.partition("=")
        if name.startswith("net."):
            step.fates[int(name[4:])] = value
        elif not sign and not place:
            step.who = name
        else:
            step.args[name] = value
    return step
