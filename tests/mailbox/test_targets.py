"""Targets in a text: what a person would call the affected system, and nothing else."""

import time

import pytest
from meldbalie.mailbox.targets import find_targets

BLOCK = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: https://x.nl\n\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("https://www.Gemeente.nl/zoeken?q=1", "www.gemeente.nl"),
        ("http://intern.corp:8080/x", "intern.corp"),
        ("ftp://bestanden.gemeente.nl", "bestanden.gemeente.nl"),
        ("https://gebruiker:geheim@gemeente.nl:8443/x", "gemeente.nl"),
        ("(zie https://gemeente.nl/a) en <https://dienst.gemeente.nl>.", "gemeente.nl dienst.gemeente.nl"),
        ("[klik](https://a.nl/x)[en](http://b.nl)", "a.nl b.nl"),
        ("de host portal.gemeente.nl, en mail.gemeente.nl.", "portal.gemeente.nl mail.gemeente.nl"),
        ("Host: app.gemeente.nl", "app.gemeente.nl"),
        ("url=https://a.nl host=b.nl 'c.nl' \"d.nl\"", "a.nl b.nl c.nl d.nl"),
        ("*.gemeente.nl en _dmarc.gemeente.nl", "gemeente.nl _dmarc.gemeente.nl"),
        ("gemeente.nl GEMEENTE.NL Gemeente.nl", "gemeente.nl"),
        ("gemeente.nl:8443/login en foo.github.io", "gemeente.nl foo.github.io"),
        ("portaal.gemeente.example", "portaal.gemeente.example"),
        ("hxxps://www[.]gemeente[.]nl/x", "www.gemeente.nl"),
        ("hXXp://gemeente(.)nl en gemeente[dot]nl", "gemeente.nl"),
        ("hxxps[:]//een.nl hxxp[://]twee.nl www [.] drie [.] nl", "een.nl twee.nl www.drie.nl"),
        ("192.0.2.1 en 192[.]0[.]2[.]2:443", "192.0.2.1 192.0.2.2"),
        ("http://198.51.100.7/x 203.0.113.0/24", "198.51.100.7 203.0.113.0"),
        ("[2001:db8::1]:443 2001:DB8::2 http://[2001:db8::3]:80/", "2001:db8::1 2001:db8::2 2001:db8::3"),
        ("2001[:]db8[:][:]4 ::ffff:192.0.2.9", "2001:db8::4 192.0.2.9"),
        ("www.bücher.nl http://пример.рф/", "www.xn--bcher-kva.nl xn--e1afmkfd.xn--p1ai"),
        ("https://xn--bcher-kva.nl", "xn--bcher-kva.nl"),
        # what is none
        ("renee@melder.nl, info[at]bedrijf.nl, piet (at) bedrijf.nl", ""),
        ("mailto:renee@melder.nl git@github.com:a/b", ""),
        ("index.php setup.py a.sh notes.md poc.zip rapport.pdf main.rs", ""),
        ("/usr/lib/x.nl C:\\map\\x.nl ./x.nl", ""),
        ("versie 1.2.3.4, v1.2.3.4, version: 10.0.0.1", ""),
        ("Mozilla/5.0 Chrome/120.0.0.0 1.2.3.4.5 999.1.1.1", ""),
        ("document.location os.name window.open(x) user.id foo.bar()", ""),
        ("12:30:45 std::vector a::b Dead::Beef 00:11:22:33:44:55", ""),
        ("127.0.0.1 ::1 0.0.0.0 http://localhost/ http://127.0.0.1:8080", ""),
        ("co.uk nl e.g. i.e. bijv. z.o.z", ""),
        ("https://a.nl/?naar=https://kwaad.example&b=c.nl", "a.nl"),
        ("https:///x https://%s.nl http://-a-.nl https://a..nl http://" + "a" * 300 + ".nl", ""),
        (
            BLOCK + "a.nl",
            "a.nl",
        ),
    ],
)
def test_targets_are_found_in_order_and_once(text: str, targets: str) -> None:
    assert " ".join(find_targets(text)) == targets


def test_the_number_of_targets_is_bounded() -> None:
    assert len(find_targets(" ".join(f"h{number}.nl" for number in range(5000)), limit=7)) == 7


@pytest.mark.parametrize(
    "run", ["a", "a.", "1.", ":", "a:", "[", "a@", "a://", "1::", "é.", "-", "a-", " [dot", "h.nl ", "x://y@"]
)
def test_a_text_made_to_hurt_costs_little_time(run: str) -> None:
    started = time.process_time()
    find_targets(run * (1_500_000 // len(run)))
    assert time.process_time() - started < 4
