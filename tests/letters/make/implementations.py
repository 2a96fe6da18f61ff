"""Other programs that speak OpenPGP, on a shell: Sequoia's sq, RNP, PGPy; pasted like what gpg gives."""

import subprocess
import sys

from . import stage
from .gnupg_shell import attach, mail
from .stage import HOME, PNG, TEXT, ZOO, fresh_home, keep, run

KEYS = ZOO / "keys"
DESK, RENEE = KEYS / "intake.public.asc", KEYS / "renee.secret.asc"
PGPY = """
import sys, warnings
warnings.simplefilter("ignore")
import pgpy
from pgpy.constants import SymmetricKeyAlgorithm
desk, _ = pgpy.PGPKey.from_file(sys.argv[1])
rolf, _ = pgpy.PGPKey.from_file(sys.argv[2])
message = pgpy.PGPMessage.new(sys.stdin.read())
if sys.argv[3] == "clear":
    message = pgpy.PGPMessage.new(str(message.message), cleartext=True)
message |= rolf.sign(message)
print(message if sys.argv[3] == "clear" else desk.encrypt(message, cipher=SymmetricKeyAlgorithm.AES256))
"""


def sequoia() -> None:
    """Sq seals, signs, and does both."""
    (HOME / "text").write_text(TEXT)
    sealed = run("sq", "encrypt", "--recipient-cert", str(DESK), str(HOME / "text"))
    keep("implementations", "sq-encrypted", bytes(mail(sealed)))
    both = run("sq", "encrypt", "--signer-key", str(RENEE), "--recipient-cert", str(DESK), str(HOME / "text"))
    keep("implementations", "sq-encrypted-signed", bytes(mail(both)))
    clear = run("sq", "sign", "--cleartext-signature", "--signer-key", str(RENEE), str(HOME / "text"))
    keep("implementations", "sq-clearsigned", bytes(mail(clear)))
    file = run(
        "sq", "encrypt", "--binary", "--signer-key", str(RENEE), "--recipient-cert", str(DESK), str(PNG)
    )
    keep("implementations", "sq-file", bytes(attach(mail("Zie bijlage.\n"), file, "scherm.png.pgp")))
    sop = run("sqop", "encrypt", f"--sign-with={RENEE}", str(DESK), feed=TEXT)
    keep("implementations", "sqop-encrypted-signed", bytes(mail(sop)))


def rnp() -> None:
    """RNP seals and signs, also with AEAD as LibrePGP has it."""
    home = HOME / ".rnp"
    home.mkdir(mode=0o700)
    for key in (DESK, RENEE):
        run("rnpkeys", "--homedir", str(home), "--import", str(key))
    start = (
        "rnp",
        "--homedir",
        str(home),
        "--password",
        "",
        "--armor",
        "-r",
        stage.FINGERPRINTS["intake"],
        "-u",
        stage.FINGERPRINTS["renee"],
    )
    keep(
        "implementations", "rnp-encrypted-signed", bytes(mail(run(*start, "--encrypt", "--sign", feed=TEXT)))
    )
    keep(
        "implementations",
        "rnp-clearsigned",
        bytes(
            mail(
                run(
                    "rnp",
                    "--homedir",
                    str(home),
                    "--password",
                    "",
                    "-u",
                    stage.FINGERPRINTS["renee"],
                    "--clearsign",
                    feed=TEXT,
                )
            )
        ),
    )
    keep(
        "implementations",
        "rnp-aead-eax",
        bytes(mail(run(*start, "--encrypt", "--sign", "--aead=eax", feed=TEXT))),
    )
    aead = run(*start, "--encrypt", "--sign", "--aead=ocb", feed=TEXT)
    keep("implementations", "rnp-aead-ocb", bytes(mail(aead)))
    lines = aead.splitlines()
    lines[-5] = lines[-5][::-1]
    keep("implementations", "rnp-aead-ocb-altered", bytes(mail(b"\n".join(lines))))


def pgpy() -> None:
    """PGPy, by Rolf, to the former key, since it knows RSA best."""
    for name, how in (("pgpy-encrypted-signed", "seal"), ("pgpy-clearsigned", "clear")):
        armour = run(
            sys.executable,
            "-c",
            PGPY,
            str(KEYS / "intake-former.public.asc"),
            str(KEYS / "rolf.secret.asc"),
            how,
            feed=TEXT,
        )
        keep(
            "implementations",
            name,
            bytes(mail(armour, sender="Rolf Reporter <rolf@melder.example>")),
            sender="rolf@melder.example",
        )


def make() -> None:
    """Each program."""
    fresh_home()
    failed: list[str] = []
    for group in (sequoia, rnp, pgpy):
        try:
            group()
        except (RuntimeError, subprocess.SubprocessError) as error:
            failed.append(str(error))
    if failed:
        raise RuntimeError("\n".join(failed))
