"""The keys of the zoo, made once: everybody's secret key without a passphrase, for tests only.

Making them again changes every letter, so this refuses to overwrite them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

KEYS = Path(__file__).resolve().parents[1] / "keys"

MODERN = """
Key-Type: EDDSA
Key-Curve: ed25519
Key-Usage: sign,cert
Subkey-Type: ECDH
Subkey-Curve: cv25519
Subkey-Usage: encrypt
"""
RSA = """
Key-Type: RSA
Key-Length: 2048
Key-Usage: sign,cert
Subkey-Type: RSA
Subkey-Length: 2048
Subkey-Usage: encrypt
"""

# name of the file: (recipe, name, address, expires)
PEOPLE = {
    "intake": (MODERN, "Meldpunt (key of the tests only)", "cvd@gemeente.example", "0"),
    "intake-former": (RSA, "Meldpunt (former key of the tests only)", "cvd@gemeente.example", "0"),
    "renee": (MODERN, "Renée Reporter", "renee@melder.example", "0"),
    "rolf": (RSA, "Rolf Reporter", "rolf@melder.example", "0"),
    "list": (RSA, "Lijst Onderzoekers", "onderzoekers@lijst.example", "0"),
    "trickster": (MODERN, "renee@melder.example", "tess@elders.example", "0"),
    "stranger": (MODERN, "Sam Stranger", "sam@elders.example", "0"),
    "owner": (MODERN, "Olga Owner", "olga@leverancier.example", "0"),
    "expired": (MODERN, "Eva Expired", "eva@melder.example", "1y"),
    "revoked": (MODERN, "Ruud Revoked", "ruud@melder.example", "0"),
}
BORN = {"expired": "20200101T000000"}


def gpg(home: Path, *args: str, feed: bytes = b"", at: str = "20240101T000000") -> bytes:
    """Run gpg in a home of its own, at a time when these keys are valid."""
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode=loopback"]
    command += [
        "--comment=throw-away key of the tests; it protects nothing",
        "--passphrase=",
        f"--faked-system-time={at}",
        "--no-auto-check-trustdb",
    ]
    return subprocess.run([*command, *args], input=feed, capture_output=True, check=True).stdout


def main() -> None:
    """Make every key, with its revocation where it is withdrawn."""
    KEYS.mkdir(exist_ok=True)
    if list(KEYS.glob("*.asc")):
        sys.exit(f"{KEYS} holds keys: remove them if every letter is to be made again")
    for file, (recipe, name, address, expires) in PEOPLE.items():
        with tempfile.TemporaryDirectory(prefix="zoo") as directory:
            _make(Path(directory), file, recipe, name, address, expires)


def _make(home: Path, file: str, recipe: str, name: str, address: str, expires: str) -> None:
    who = f"Name-Real: {name}\nName-Email: {address}\nExpire-Date: {expires}\n%no-protection\n%commit\n"
    gpg(home, "--generate-key", feed=(recipe + who).encode(), at=BORN.get(file, "20240101T000000"))
    (KEYS / f"{file}.secret.asc").write_bytes(gpg(home, "--armor", "--export-secret-keys"))
    if file == "revoked":
        certificate = next((home / "openpgp-revocs.d").glob("*.rev")).read_bytes()
        gpg(home, "--import", feed=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
    (KEYS / f"{file}.public.asc").write_bytes(gpg(home, "--armor", "--export"))
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)


if __name__ == "__main__":
    main()
