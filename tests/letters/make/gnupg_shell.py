"""GnuPG on a shell, and the mail that people make of it: pasted into a text, or attached as a file."""

import gzip
from email.message import EmailMessage
from email.utils import make_msgid

from . import stage
from .stage import CVD, OCTETS, PNG, RENEE, REPORT, SUBJECT, TEXT, fresh_home, gpg, keep

CLIENT = "gnupg"
TO = ("--recipient", stage.FINGERPRINTS["intake"])
BY_RENEE = ("--local-user", stage.FINGERPRINTS["renee"])


def mail(
    text: str | bytes,
    *,
    subject: str = SUBJECT,
    sender: str = "Renée Reporter <renee@melder.example>",
    **options: str,
) -> EmailMessage:
    """A mail as a mail program makes it that knows nothing of OpenPGP."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, CVD, subject
    message["Date"] = "Sat, 21 Nov 2026 11:59:00 +0100"
    message["Message-ID"] = make_msgid(domain="melder.example")
    message.set_content(text.decode() if isinstance(text, bytes) else text, **options)
    return message


def attach(
    message: EmailMessage, content: bytes, name: str, kind: str = "application/octet-stream"
) -> EmailMessage:
    """Attach a file, as a program does that guesses its type from its name."""
    main, _, sub = kind.partition("/")
    message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message


def pasted() -> None:
    """Armour in the body: sealed, sealed and signed, signed, with text around it, quoted-printable."""
    sealed = gpg("--armor", *TO, "--encrypt", feed=TEXT)
    both = gpg("--armor", *TO, *BY_RENEE, "--sign", "--encrypt", feed=TEXT)
    keep(CLIENT, "pasted-encrypted", bytes(mail(sealed)))
    keep(CLIENT, "pasted-encrypted-signed", bytes(mail(both)))
    keep(
        CLIENT,
        "pasted-with-version-and-comment",
        bytes(
            mail(
                gpg("--armor", "--emit-version", "--comment", "Lek: niet delen", *TO, "--encrypt", feed=TEXT)
            )
        ),
    )
    keep(
        CLIENT,
        "pasted-amid-text",
        bytes(mail(b"Beste mensen,\n\nZie hieronder.\n\n" + both + b"\nGroet, Ren\xc3\xa9e\n")),
    )
    keep(
        CLIENT,
        "pasted-twice",
        bytes(mail(gpg("--armor", *TO, "--encrypt", feed="Deel een.\n") + b"\n" + sealed)),
    )
    keep(CLIENT, "pasted-quoted-printable", bytes(mail(both, cte="quoted-printable")))
    keep(CLIENT, "pasted-base64", bytes(mail(both, cte="base64")))
    keep(CLIENT, "pasted-clearsigned", bytes(mail(gpg(*BY_RENEE, "--clear-sign", feed=TEXT))))
    keep(
        CLIENT,
        "pasted-clearsigned-amid-text",
        bytes(mail(b"Dit staat erboven.\n\n" + gpg(*BY_RENEE, "--clear-sign", feed=TEXT))),
    )
    keep(CLIENT, "pasted-signed-not-encrypted", bytes(mail(gpg("--armor", *BY_RENEE, "--sign", feed=TEXT))))
    keep(
        CLIENT,
        "pasted-to-former-key",
        bytes(
            mail(
                gpg(
                    "--armor",
                    "--recipient",
                    stage.FINGERPRINTS["intake-former"],
                    *BY_RENEE,
                    "--sign",
                    "--encrypt",
                    feed=TEXT,
                )
            )
        ),
    )
    keep(
        CLIENT,
        "pasted-hidden-recipient",
        bytes(
            mail(
                gpg(
                    "--armor",
                    "--hidden-recipient",
                    stage.FINGERPRINTS["intake"],
                    *BY_RENEE,
                    "--sign",
                    "--encrypt",
                    feed=TEXT,
                )
            )
        ),
    )
    keep(
        CLIENT,
        "pasted-to-two",
        bytes(
            mail(
                gpg(
                    "--armor",
                    "--recipient",
                    stage.FINGERPRINTS["owner"],
                    *TO,
                    *BY_RENEE,
                    "--sign",
                    "--encrypt",
                    feed=TEXT,
                )
            )
        ),
    )
    for name in ("zip", "zlib", "bzip2", "none"):
        armour = gpg("--armor", f"--compress-algo={name}", *TO, *BY_RENEE, "--sign", "--encrypt", feed=TEXT)
        keep(CLIENT, f"pasted-compressed-{name}", bytes(mail(armour)))
    both_ways = mail(both)
    both_ways.add_alternative(f"<html><body><pre>{both.decode()}</pre></body></html>", subtype="html")
    keep(CLIENT, "pasted-in-both-alternatives", bytes(both_ways))
    html = mail("x")
    html.set_content(
        f"<html><body><div>{'<br>'.join(both.decode().splitlines())}</div></body></html>", subtype="html"
    )
    keep(CLIENT, "pasted-in-html-only", bytes(html))
    latin = gpg(
        "--armor",
        "--charset",
        "iso-8859-1",
        *TO,
        "--encrypt",
        feed="Lek op www.gemeente.example, één regel.\n".encode("latin-1"),
    )
    keep(CLIENT, "pasted-latin-1-inside", bytes(mail(latin, charset="iso-8859-1")))


def files() -> None:
    """Sealed files at an open or empty text: armoured, binary, under odd names and types, with a detached signature."""
    sealed_png = gpg(*TO, "--encrypt", "--output", "-", str(PNG))
    keep(CLIENT, "file-gpg", bytes(attach(mail("Bewijs bijgevoegd.\n"), sealed_png, "scherm.png.gpg")))
    armoured = gpg("--armor", *TO, *BY_RENEE, "--sign", "--encrypt", "--output", "-", str(REPORT))
    keep(
        CLIENT,
        "file-asc",
        bytes(attach(mail("Zie bijlage.\n"), armoured, "verslag één.txt.asc", "application/pgp-encrypted")),
    )
    keep(CLIENT, "file-pgp", bytes(attach(mail("Zie bijlage.\n"), armoured, "verslag één.txt.pgp")))
    keep(
        CLIENT,
        "file-of-text-type",
        bytes(attach(mail("Zie bijlage.\n"), armoured, "verslag.txt.asc", "text/plain")),
    )
    everything = attach(
        mail(gpg("--armor", *TO, *BY_RENEE, "--sign", "--encrypt", feed=TEXT)),
        gpg(*TO, *BY_RENEE, "--sign", "--encrypt", "--output", "-", str(PNG)),
        "scherm.png.gpg",
    )
    keep(CLIENT, "text-and-files-sealed-apart", bytes(attach(everything, armoured, "verslag één.txt.asc")))
    keep(CLIENT, "file-without-text", bytes(attach(mail(""), sealed_png, "scherm.png.gpg")))
    detached = gpg(*BY_RENEE, "--armor", "--detach-sign", "--output", "-", str(OCTETS))
    beside = attach(mail("De handtekening zit ernaast.\n"), OCTETS.read_bytes(), "octets.bin")
    keep(
        CLIENT,
        "file-with-detached-signature",
        bytes(attach(beside, detached, "octets.bin.sig", "application/pgp-signature")),
    )
    packed = gpg(*TO, "--encrypt", feed=gzip.compress(OCTETS.read_bytes(), mtime=0))
    keep(CLIENT, "file-compressed-first", bytes(attach(mail("Zie bijlage.\n"), packed, "octets.gz.gpg")))


def keys() -> None:
    """The sender's key, in each of the forms in which keys travel."""
    armoured, binary = gpg("--armor", "--export", BY_RENEE[1]), gpg("--export", BY_RENEE[1])
    sealed = gpg("--armor", *TO, *BY_RENEE, "--sign", "--encrypt", feed=TEXT)
    keep(CLIENT, "key-attached", bytes(attach(mail(sealed), armoured, "renee.asc", "application/pgp-keys")))
    keep(CLIENT, "key-attached-binary", bytes(attach(mail(sealed), binary, "renee.gpg")))
    keep(
        CLIENT,
        "key-attached-binary-named-pgp-keys",
        bytes(attach(mail(sealed), binary, "key", "application/pgp-keys")),
    )
    keep(CLIENT, "key-pasted", bytes(mail(TEXT.encode() + b"\n" + armoured)))
    keep(
        CLIENT,
        "key-under-the-seal",
        bytes(mail(gpg("--armor", *TO, "--encrypt", feed=TEXT.encode() + b"\n" + armoured))),
    )
    several = attach(
        attach(mail(TEXT), armoured, "renee.asc", "application/pgp-keys"),
        gpg("--armor", "--export", "sam@elders.example"),
        "sam.asc",
        "application/pgp-keys",
    )
    keep(CLIENT, "keys-attached-several", bytes(several))
    secret = gpg("--armor", "--export-secret-keys", BY_RENEE[1])
    keep(
        CLIENT,
        "key-secret-attached-by-mistake",
        bytes(attach(mail(TEXT), secret, "mijn-sleutel.asc", "application/pgp-keys")),
    )


def unlucky() -> None:
    """What goes wrong: another's key, a passphrase, an altered or cut message, a signer who is not the sender."""
    both = gpg("--armor", *TO, *BY_RENEE, "--sign", "--encrypt", feed=TEXT)
    keep(
        CLIENT,
        "sealed-to-another-key",
        bytes(
            mail(
                gpg(
                    "--armor",
                    "--recipient",
                    stage.FINGERPRINTS["owner"],
                    *BY_RENEE,
                    "--sign",
                    "--encrypt",
                    feed=TEXT,
                )
            )
        ),
    )
    keep(
        CLIENT,
        "sealed-with-a-passphrase",
        bytes(
            mail(gpg("--armor", "--pinentry-mode=loopback", "--passphrase=geheim", "--symmetric", feed=TEXT))
        ),
    )
    lines = both.split(b"\n")
    middle = len(lines) // 2
    lines[middle] = lines[middle][::-1]
    keep(CLIENT, "altered", bytes(mail(b"\n".join(lines))))
    keep(CLIENT, "cut-short", bytes(mail(both[: len(both) * 2 // 3])))
    keep(
        CLIENT,
        "cut-short-with-end-line",
        bytes(mail(both[: len(both) * 2 // 3] + b"\n-----END PGP MESSAGE-----\n")),
    )
    clear = gpg(*BY_RENEE, "--clear-sign", feed=TEXT)
    keep(CLIENT, "clearsigned-altered", bytes(mail(clear.replace(b"zoeken", b"vinden"))))
    for who, name, address in (
        ("stranger", "Sam Stranger", "sam@elders.example"),
        ("expired", "Eva Expired", "eva@melder.example"),
        ("revoked", "Ruud Revoked", "ruud@melder.example"),
        ("trickster", "Renée Reporter", RENEE),
    ):
        at = "20200601T120000" if who == "expired" else None
        signed = gpg("--local-user", stage.FINGERPRINTS[who], "--sign", feed=TEXT, at=at)
        armour = gpg("--armor", *TO, "--no-literal", "--encrypt", feed=signed)
        keep(CLIENT, f"signed-by-{who}", bytes(mail(armour, sender=f"{name} <{address}>")), sender=address)
    keep(
        CLIENT,
        "signed-by-another-than-from",
        bytes(mail(both, sender="Rolf Reporter <rolf@melder.example>")),
        sender="rolf@melder.example",
    )
    two = gpg(
        "--armor",
        *TO,
        *BY_RENEE,
        "--local-user",
        stage.FINGERPRINTS["rolf"],
        "--sign",
        "--encrypt",
        feed=TEXT,
    )
    keep(CLIENT, "signed-by-two", bytes(mail(two)))
    dated = gpg(
        "--armor",
        *TO,
        *BY_RENEE,
        "--default-sig-expire=1d",
        "--sign",
        "--encrypt",
        feed=TEXT,
        at="20240601T120000",
    )
    keep(CLIENT, "signature-expired", bytes(mail(dated)))
    bad = gpg("--compress-algo=none", *BY_RENEE, "--sign", feed=TEXT).replace(b"zoeken", b"vinden")
    keep(
        CLIENT,
        "signature-bad-under-the-seal",
        bytes(mail(gpg("--armor", *TO, "--no-literal", "--encrypt", feed=bad))),
    )
    clear_inside = gpg("--armor", *TO, "--encrypt", feed=clear)
    keep(CLIENT, "clearsigned-under-the-seal", bytes(mail(clear_inside)))
    weak = gpg(
        "--armor",
        *TO,
        *BY_RENEE,
        "--rfc2440",
        "--cipher-algo=3DES",
        "--disable-mdc",
        "--sign",
        "--encrypt",
        feed=TEXT,
    )
    keep(CLIENT, "asked-for-no-integrity", bytes(mail(weak)))


def make() -> None:
    """Everything that a shell can do."""
    fresh_home(
        ("renee", "rolf", "stranger", "expired", "revoked", "trickster"), ("intake", "intake-former", "owner")
    )
    for group in (pasted, files, keys, unlucky):
        group()
