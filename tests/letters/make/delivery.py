"""How the desk's mail server leaves its trace on a mail: python3 -m make.delivery SENDER < mail."""

import sys

CVD = "cvd@gemeente.example"


def trace(sender: str) -> bytes:
    """The lines that the desk's mail server puts before a mail."""
    host = sender.rpartition("@")[2] or "melder.example"
    lines = (
        f"Return-Path: <{sender}>",
        f"Delivered-To: {CVD}",
        f"Received: from mail.{host} (mail.{host} [192.0.2.25])",
        "\tby mx.gemeente.example with ESMTPS id 4XyZ; Sat, 21 Nov 2026 12:00:00 +0100 (CET)",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


if __name__ == "__main__":
    mail = sys.stdin.buffer.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    sys.stdout.buffer.write(trace(sys.argv[1]) + mail)
