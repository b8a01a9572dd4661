"""A day of many pickups at a real window: run as a program, since what it looks for would never end."""

from __future__ import annotations

import sys

from PySide6.QtCore import QCoreApplication

from tests.ui.scripted_counter import RICE, counter_with, pickup
from tests.ui.stage import Stage
from ui.application import make_application

PICKUPS = 130


def main() -> None:
    """Lets today's list grow pickup by pickup; says how many there are in the end."""
    width, height = map(int, sys.argv[1].split("x"))
    application = make_application()
    stage = Stage(counter_with(), width=width, height=height)
    stage.readers()
    stage.sign_in()
    entries = [pickup(n, RICE.name, RICE.quantity_text, "SITI RAHAYU") for n in range(PICKUPS, 0, -1)]
    for count in range(1, PICKUPS + 1):
        stage.day.show(entries[-count:])
        QCoreApplication.processEvents()
    print(len(stage.day.property("rows")), flush=True)
    stage.close()
    application.quit()


if __name__ == "__main__":
    main()
