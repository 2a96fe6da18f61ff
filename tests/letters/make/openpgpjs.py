"""OpenPGP.js and nodemailer: what Mailvelope, FlowCrypt, Proton and one's own programs are built on."""

from pathlib import Path

from .stage import HOME, TEXT, ZOO, fresh_home, keep, run


def make() -> None:
    """Run openpgpjs.mjs, and keep what it wrote."""
    fresh_home()
    out = HOME / "made"
    out.mkdir()
    (out / "text").write_text(TEXT)
    try:
        run(
            "node",
            str(Path(__file__).with_name("openpgpjs.mjs")),
            str(ZOO / "keys"),
            str(ZOO / "files"),
            str(out),
        )
    finally:
        for letter in out.glob("*.eml"):
            keep("openpgpjs", letter.stem, letter.read_bytes())
