"""``python -m benchmarks``: Markdown tables on standard output."""

import argparse

from benchmarks import exporting, forecasting, lifting, live, reading, recognition

_SECTIONS = {
    "lifting": lifting.main,
    "forecasting": forecasting.main,
    "recognition": recognition.main,
    "reading": reading.main,
    "exporting": exporting.main,
    "live": live.main,
}

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(_SECTIONS)}; all by default")
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="thread counts, one after the other")
parser.add_argument("--seconds", type=float, default=4.0, help="time for each comparison")
parser.add_argument(
    "--frames",
    type=int,
    nargs="+",
    metavar="N",
    help=f"recognition: lengths of the clips (default: {', '.join(map(str, recognition.FRAMES))})",
)
parser.add_argument(
    "--models",
    nargs="+",
    metavar="NAME",
    help=f"recognition: rows of the table (known: {', '.join(recognition.MODELS)}; default: all)",
)
arguments = parser.parse_args()
for section in arguments.sections:
    if section not in _SECTIONS:
        parser.error(f"no section is called '{section}' (known: {', '.join(_SECTIONS)})")
for option in ("frames", "models"):
    if getattr(arguments, option) and arguments.sections and "recognition" not in arguments.sections:
        parser.error(f"--{option} is of the section recognition; name it, or leave the option out")
for name in arguments.models or ():
    if name not in recognition.MODELS:
        parser.error(f"--models: no row is called '{name}' (known: {', '.join(recognition.MODELS)})")
for option in ("threads", "frames"):
    if (given := getattr(arguments, option)) and min(given) < 1:
        parser.error(f"--{option} {min(given)}: expected 1 or more")
if not 0 < arguments.seconds < float("inf"):
    parser.error(f"--seconds {arguments.seconds:g}: expected a number above 0")
for section in arguments.sections or _SECTIONS:
    _SECTIONS[section](arguments)
