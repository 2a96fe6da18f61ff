"""Random letters opened, to find one that does harm: it raises, hangs, or has no verdict.

    python -m meldbalie.tests.fuzzing.letters --seconds 60          changed letters, guided by atheris
    python -m meldbalie.tests.fuzzing.letters --gpg                 the same, with keys and gpg
    python -m meldbalie.tests.fuzzing.letters FILE...               a letter that was found, once more

It starts from tests/letters, tests/fuzzing/corpus and the families of tests/hostile.py. A letter that
does harm is written to tests/fuzzing/found; mended, it moves to the corpus, which every test run opens.
Without atheris (it has no wheels for some machines) letters are changed without its guidance.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random

from meldbalie.mailbox.inspection import verdict
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.opening import open_letter
from meldbalie.mailbox.problem import Problem
from meldbalie.tests.fuzzing.mutations import LONGEST, mutated
from meldbalie.tests.hostile import FAMILIES

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FOUND = HERE / "found"
LETTERS = HERE.parent / "letters"
WITHOUT_GPG = Limits(sealed=0, keys=0)
LONGEST_SECONDS = 5.0  # for 64 KiB of anything, also on a busy machine


class Harm(AssertionError):
    """A letter did what no letter may do."""


def seeds() -> list[bytes]:
    """The letters that are changed."""
    files = sorted([*LETTERS.rglob("*.eml"), *CORPUS.iterdir()])
    return [file.read_bytes() for file in files] + [family(20) for family in FAMILIES.values()]


def try_letter(raw: bytes, keyring: Keyring, limits: Limits = WITHOUT_GPG) -> None:
    """Open a letter as `inspect` does; raises :class:`Harm` when that goes wrong."""
    started = time.process_time()
    opened = open_letter(raw, keyring, limits=limits)
    if opened.problem is Problem.UNREADABLE:
        raise Harm("opening it failed in a way that nobody foresaw")
    json.dumps(verdict(opened), ensure_ascii=False).encode("utf-8", "replace")
    if opened.letter.raw != raw:
        raise Harm("its bytes were changed")
    if (took := time.process_time() - started) > LONGEST_SECONDS:
        raise Harm(f"it took {took:.1f} seconds")


def main(words: Sequence[str] | None = None) -> int:
    """Look for harm, or look again at files; 1 when there is some."""
    args = _arguments(words)
    with Keyring.throwaway() as keyring:
        limits = Limits() if args.gpg else WITHOUT_GPG
        if args.files:
            return _again(args.files, keyring, limits)
        FOUND.mkdir(exist_ok=True)
        if not args.unguided and _is_there("atheris"):
            _guided(args.seconds, keyring, limits)
        return unguided(args.seconds, keyring, limits, Random(args.seed))


def unguided(seconds: float, keyring: Keyring, limits: Limits, random: Random) -> int:
    """Change letters blindly for so long; 1 when one does harm, which is written down."""
    known, tried, harm = seeds(), 0, 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        raw, tried = mutated(known, random), tried + 1
        try:
            try_letter(raw, keyring, limits)
        except Exception:
            harm += 1
            file = FOUND / f"{hashlib.sha256(raw).hexdigest()[:16]}.eml"
            file.write_bytes(raw)
            traceback.print_exc()
            print(f"written to {file}", flush=True)
    print(f"{tried} letters from {len(known)} seeds, {harm} do harm")
    return int(harm > 0)


def _guided(seconds: float, keyring: Keyring, limits: Limits) -> None:
    """Let atheris choose what to change by the lines of code that it reaches; ends the process."""
    import atheris

    known = seeds()
    atheris.instrument_all()
    with tempfile.TemporaryDirectory(prefix="mbf") as new:
        for number, seed in enumerate(known):
            Path(new, str(number)).write_bytes(seed[:LONGEST])

        def change(data: bytes, most: int, seed: int) -> bytes:
            random = Random(seed)
            blind = random.random() < 0.5
            return mutated([data, *known], random)[:most] if blind else atheris.Mutate(data, most)

        options = (
            f"-max_total_time={seconds:.0f}",
            f"-max_len={LONGEST}",
            "-timeout=20",
            "-rss_limit_mb=3000",
        )
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={FOUND}/", "-print_final_stats=1", new],
            lambda raw: try_letter(raw, keyring, limits),
            custom_mutator=change,
        )
        atheris.Fuzz()


def _again(files: Sequence[Path], keyring: Keyring, limits: Limits) -> int:
    for file in files:
        try_letter(file.read_bytes(), keyring, limits)
        print(f"{file}: no harm")
    return 0


def _is_there(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="meldbalie.tests.fuzzing.letters", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="letters to look at again")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--gpg", action="store_true", help="let gpg look at what is sealed; much slower")
    parser.add_argument("--unguided", action="store_true", help="without atheris")
    parser.add_argument("--seed", type=int, default=None, help="the same letters again (unguided)")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
