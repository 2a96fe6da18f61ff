"""A telephone number leaves in no spelling that people use, and what a report is made of stays."""

import time
from pathlib import Path

import pytest
from meldbalie.mailbox.own_words import LEFT_OUT, own_words, passed_on
from meldbalie.mailbox.scrub import Identity, scrub, still_identifies

NOBODY = Identity()
EN_DASH, MINUS, NARROW = "\u2013", "\u2212", "\u202f"

SURE = [
    "06 - 12 34 56 78",
    f"06 {EN_DASH} 12 34 56 78",
    f"06{EN_DASH}12345678",
    f"06 {MINUS} 12345678",
    "06\u201012345678",
    "06\u201112345678",
    "06 \u2014 12345678",
    "06 \u2015 12345678",
    "06 - 1234 5678",
    "06 -12345678",
    "06  12  34  56  78",
    "06 / 12 34 56 78",
    "06 . 12 . 34 . 56 . 78",
    "06\u00b712\u00b734\u00b756\u00b778",
    f"06{NARROW}12{NARROW}34{NARROW}56{NARROW}78",
    "06\u200912\u200934\u200956\u200978",
    "06\u00a0-\u00a012\u00a034\u00a056\u00a078",
    "030 - 123 45 67",
    "(030) - 123 45 67",
    "(030) \u2013 123 45 67",
    "(030)-1234567",
    "(0)30 - 123 45 67",
    "(0) 6 12345678",
    "0182 - 12 34 56",
    "+31 (0)6 - 12345678",
    "+31 - (0)6 - 12345678",
    "+31 - 6 - 12 34 56 78",
    "+31 \u2013 30 \u2013 123 45 67",
    "+ 31 6 12345678",
    "0031 - 6 - 12345678",
    "0031 (0)6 - 1234 5678",
    "+49 30 - 1234567",
    "+49 (0) 30 - 1234 567",
    "+49 171 - 123 4567",
    "0049 30 1234567",
    "0049 - 171 - 1234567",
    "+32 (0)2 \u2013 123 45 67",
    "+44 (0) 20 - 7946 0958",
    "+33 6 12 34 56 78",
    "+1 (415) - 555 - 0123",
]
PERHAPS = [
    "0 6 1 2 3 4 5 6 7 8",
    "0 6 12 34 56 78",
    "02 123 45 67",
    "02 / 123.45.67",
    "030 / 12345678",
    "0171 - 12345678",
    "07700 - 900 123",
    "0171 - 1234 56789",
    "06_12345678",
    "06 -\n12345678",
    "06 - 1234\r\n5678",
    "00 49 30 1234567",
]
AROUND = ["{}", "Bel {} na vijf.", "T: {}", "(M {})", "Ik ben te vinden: {}, of per mail", "in 2026 {}"]


@pytest.mark.parametrize("number", SURE)
@pytest.mark.parametrize("around", AROUND)
def test_a_number_goes_however_it_is_spaced(number: str, around: str) -> None:
    scrubbed = scrub(around.format(number), NOBODY)

    assert scrubbed.text in (around.format("[removed: phone]"), around.format("([removed: phone]"))
    assert "number" not in scrubbed.doubt


@pytest.mark.parametrize("number", PERHAPS)
@pytest.mark.parametrize("around", AROUND)
def test_what_may_be_a_number_goes_and_waits_for_a_human(number: str, around: str) -> None:
    scrubbed = scrub(around.format(number), NOBODY)

    assert scrubbed.text == around.format("[removed: number]")
    assert scrubbed.removed == {"number": 1}
    assert "number" in scrubbed.doubt


def test_what_was_left_out_of_a_copy_identifies_nobody_by_its_marker() -> None:
    assert not still_identifies(scrub("02 123 45 67", NOBODY).text, Identity(names=("Number Removed",)))


@pytest.mark.parametrize("number", [*SURE, *PERHAPS])
def test_a_handlers_number_does_not_reach_the_reporter(number: str) -> None:
    people = Identity(names=("Bas Jansen",), addresses=("bas@voorbeeld.example",))

    passed = passed_on(own_words(f"We herstellen het morgen. Vragen? Bel {number} gerust.", people), people)

    assert passed.text == f"We herstellen het morgen. Vragen? Bel {LEFT_OUT} gerust."
    assert passed.was_changed


@pytest.mark.parametrize("between", [" / ", " of ", ", ", "; "])
def test_of_two_numbers_neither_stays(between: str) -> None:
    scrubbed = scrub(f"Bel 06 - 12345678{between}(030) - 123 45 67", NOBODY)

    assert not any(digit in scrubbed.text for digit in "12345678")


# --- what reports are full of ----------------------------------------------------------------------

TECHNICAL = [
    # dates and times
    "01-02-2026 10:15 tot 03-02-2026 08:30",
    "01-02-2026 - 03-02-2026",
    "06 - 12 - 2026 08:30",
    "06-12-2026 t/m 08-12-2026",
    f"06{EN_DASH}12{EN_DASH}2026 08.30",
    "08-2025 - 12-2026",
    "05.10.2024 14.05.33.123",
    "Sat, 06 Dec 2026 08:30:12 +0100 (CET)",
    '10.1.2.3 - - [06/Dec/2026:08:30:12 +0100] "GET /zaak?id=0612 HTTP/1.1" 200 5120 "-" "curl/8.5.0"',
    "09.00 - 17.30 en 08.30 - 12.00",
    "2026-12-06T08:30:12.061234567+01:00 1765006212 1765006212345",
    "not before 06:12:20 261206083012Z",
    "[    0.061234] [   12.345678] usb 1-1: new device",
    "00:00:06,123 --> 00:00:09,456",
    # addresses of machines
    "10.0.0.1 010.000.000.001 0.0.0.0/0 172.16.0.0/12 192.168.1.10:8443",
    "00-1A-2B-3C-4D-5E 01-23-45-67-89-10 01:23:45:67:89:10",
    "fe80::0612:3456:7890:1234 2001:db8:0:612::1",
    # versions and identifiers
    "versie 02.01.12.345, build 0612 3456 78901, firmware 01.02.03.045",
    "v0.9.10.2026 1.0.2.10 OpenSSL 3.0.13 nginx/1.24.0 PHP/8.1.2-1ubuntu2.14",
    "CVE-2024-0612345 CVE-2021-44228 CWE-79 RFC 7231 GHSA-0612-3456-7890",
    "ticket #0612345678901, INC0012345678, CVD-2026-0001, zaaknummer 0123 456 78901",
    "Serial 0612 3456 7890 1, S/N: 0123-4567-89012",
    "UUID 04121234-5678-4abc-8def-061234567890",
    "ISBN 0-306-40615-2, OID 0.9.2342.19200300.100.1.1",
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H 9.8 EPSS 0.00043 0.97",
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
    # bytes and numbers
    "0x0612345678 0x7ffff7dd18c0 \\x06\\x12\\x34 %06%12%34 \\061\\062\\063\\064",
    "01 23 45 67 89 10 11 12 en 00 01 02 03 04 05 06 07",
    "RIP: 0033:0000561234567890 RAX 0000000000000000 rsp 00007ffc12345678",
    "chmod 0755 0644 0600 umask 0022",
    "0 1 0 1 1 0 1 0 0 1 en 0 1 2 3 4 5 6 7 8 9 a b c",
    "0123456789 00000000000 0000012345 1111111111",
    "Recv-Q 0      128      0.0.0.0:22  LISTEN",
    "root 1 0.0 0.1 168432 11284 ? Ss 0 4096 1024",
    "ports 21 22 80 443 8080 8443, 0-1023, 65535",
    "@@ -10,7 +10,7 @@ offset +0x12 +12 -0,0 +1,123",
    "PIN 0612 of 061234, bedrag 0,12 en 1.234.567,89",
    "sleep(5) en 5*5 = 25; 7*7=49; ${7*7}; {{7*'7'}}",
    "1' AND (SELECT 0612 FROM (SELECT COUNT(*),CONCAT(0x7e,VERSION(),0x7e,FLOOR(RAND(0)*2))x)y)-- -",
    "Content-Length: 0612\r\nX-Request-Id: 01HF0612345678ABCDEF\r\nAge: 0\r\n",
    'ETag: "0612-5f3a1b2c"\r\nSet-Cookie: id=0171 ; Max-Age=31536000',
    "51 Franklin Street, Boston, MA 02110-1301",
    "PING 10.0.0.1 56(84) bytes: icmp_seq=1 ttl=64 time=0.061 ms, 0% packet loss, time 4005ms",
    "22/tcp open ssh OpenSSH 9.6p1\n80/tcp open http\n443/tcp open\n0 hosts down, 1 up in 06.12 seconds",
    "| 01 | 10.0.0.1 | 443 |\n| 02 | 10.0.0.2 | 8443 |\n",
    "01\n02\n03\n04\n05\n06\n",
    "#0  0x00000000004431f1 in main () at 0612.c:345\n#1  0x00000000004430c0\n",
]


@pytest.mark.parametrize("text", TECHNICAL)
def test_technical_text_stays_and_raises_no_doubt(text: str) -> None:
    scrubbed = scrub(text, NOBODY)

    assert scrubbed.text == text
    assert scrubbed.doubt == ()


@pytest.mark.parametrize("between", ["\n", "\r\n", "; "])
def test_technical_text_stays_whatever_stands_under_it(between: str) -> None:
    doubtful = [
        (one, other)
        for one in TECHNICAL
        for other in TECHNICAL
        if "number" in scrub(f"{one}{between}{other}", NOBODY).doubt
    ]

    assert doubtful == []


def test_manuals_and_code_raise_hardly_any_doubt() -> None:
    """The sources and tests of this project, of which a report might quote any part."""
    root = Path(__file__).parents[2]
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("flows", "models", "webhooks", "docs")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".toml", ".json"}
    ]

    in_doubt = [text for text in texts if "number" in scrub(text, NOBODY).doubt]

    assert len(texts) > 100
    assert in_doubt == []


@pytest.mark.parametrize(
    "piece", ["06", "06 - ", "0 ", "(0", "+31 - ", "0\n", "06 1\n", "1 (", "0_", " . ", "\u2013", "+ "]
)
def test_no_long_text_of_digits_takes_long(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece)) + "!"
        started = time.process_time()
        scrub(text, NOBODY)
        return time.process_time() - started

    assert seconds(100_000) < 10 * max(seconds(25_000), 0.05)
