"""What people write for a host or an address, and the one form that it is compared in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.models.hosts import Unusable, is_public_suffix, normalise, read_network


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("www.voorbeeld.nl", "www.voorbeeld.nl"),
        ("  WWW.Voorbeeld.NL.  ", "www.voorbeeld.nl"),
        ("https://www.voorbeeld.nl/inloggen?naar=http://elders.example", "www.voorbeeld.nl"),
        ("https://gebruiker:geheim@www.voorbeeld.nl:8443/", "www.voorbeeld.nl"),
        ("https://elders.example\\@www.voorbeeld.nl", "elders.example"),
        ("//www.voorbeeld.nl/pad", "www.voorbeeld.nl"),
        ("www.voorbeeld.nl/?naar=https://elders.example", "www.voorbeeld.nl"),
        ("www.voorbeeld.nl:443", "www.voorbeeld.nl"),
        ("<https://www.voorbeeld.nl>,", "www.voorbeeld.nl"),
        ("beheer@voorbeeld.nl", "voorbeeld.nl"),
        ("mailto:beheer@voorbeeld.nl", "voorbeeld.nl"),
        ("*.voorbeeld.nl", "voorbeeld.nl"),
        ("_dmarc.voorbeeld.nl", "_dmarc.voorbeeld.nl"),
        ("intranet", "intranet"),
        ("BÜRO.example", "xn--bro-hoa.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("XN--BRO-HOA.example", "xn--bro-hoa.example"),
        ("voorbeeld。nl", "voorbeeld.nl"),
        ("hxxps://www[.]voorbeeld[.]nl/x", "www.voorbeeld.nl"),
        ("www(dot)voorbeeld{.}nl", "www.voorbeeld.nl"),
        ("203.0.113.9", "203.0.113.9"),
        ("203[.]0[.]113[.]9:8080", "203.0.113.9"),
        ("https://203.0.113.9:8080/x", "203.0.113.9"),
        ("203.0.113.9/32", "203.0.113.9"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("https://[2001:db8::1]/x", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("http://[::ffff:cb00:7109]:80/", "203.0.113.9"),
    ],
)
def test_a_target_is_read_however_it_is_written(written: str, read: str) -> None:
    assert str(normalise(written)) == read


@pytest.mark.parametrize(
    ("written", "because"),
    [
        ("", "the target is empty"),
        ("  ", "the target is empty"),
        ("203.0.113.0/24", "203.0.113.0/24 is a range of addresses, not one target"),
        ("203.0.113.9/24", "203.0.113.0/24 is a range of addresses, not one target"),
        ("2001:db8::/32", "2001:db8::/32 is a range of addresses, not one target"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24 is a range of addresses, not one target"),
        ("999.0.113.9", "'999.0.113.9' is neither an address nor a host name: its last part is a number"),
        ("010.0.0.1", "'010.0.0.1' is neither an address nor a host name: its last part is a number"),
        ("0x7f.0x1", "'0x7f.0x1' is neither an address nor a host name: its last part is a number"),
        ("www..voorbeeld.nl", "'www..voorbeeld.nl' is not a host name that can exist"),
        ("-www.voorbeeld.nl", "'-www.voorbeeld.nl' is not a host name that can exist"),
        ("www.*.nl", "'www.*.nl' is not a host name that can exist"),
        ("w w.nl", "'w w.nl' is not a host name that can exist"),
        ("www.voorbeeld.nl\x00.example", "'www.voorbeeld.nl\\x00.example' is not a host name that can exist"),
        ("www\nvoorbeeld.nl", "'www\\nvoorbeeld.nl' is not a host name that can exist"),
        ("\u202ewww.voorbeeld.nl", "'\\u202ewww.voorbeeld.nl' is not a host name that can exist"),
        ("\ud800.nl", "'\\ud800.nl' is not a host name that can exist"),
        ("voorbeeld.nl:https", "'voorbeeld.nl:https' does not end in a port number"),
        ("[2001:db8::1]x", "'[2001:db8::1]x' is not an address in brackets"),
        ("https://", "'' is not a host name that can exist"),
        ("a" * 64 + ".nl", f"'{'a' * 64}.nl' is not a host name that can exist"),
    ],
)
def test_what_is_no_target_says_why(written: str, because: str) -> None:
    assert normalise(written) == Unusable(because)


def test_a_target_that_is_too_long_is_refused_and_not_repeated_whole() -> None:
    long_url = normalise("https://voorbeeld.nl/" + "x" * 10_000)
    long_host = normalise(".".join(["a" * 60] * 5))

    assert isinstance(long_url, Unusable)
    assert isinstance(long_host, Unusable)
    assert len(long_url.because) < 200
    assert "longer than the 253 characters of a host name" in long_host.because


@given(st.text(max_size=60) | st.text(alphabet="[]:./%@x*0f1\u00fc\u200d", max_size=30))
def test_no_text_makes_reading_fail_and_no_reason_spans_two_lines(text: str) -> None:
    read = normalise(text)

    if isinstance(read, Unusable):
        assert read.because.isprintable()
    else:
        assert normalise(str(read)) == read
        assert str(read).isascii()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("nl", True),
        ("co.uk", True),
        ("github.io", True),
        ("iets.ck", True),
        ("www.ck", False),
        ("intern", True),
        ("gemeente.intern", False),
        ("voorbeeld.nl", False),
        ("voorbeeld.github.io", False),
        ("xn--p1ai", True),
    ],
)
def test_public_suffixes_are_known_of_both_sections(name: str, answer: bool) -> None:
    assert is_public_suffix(name) is answer


def test_a_range_of_ipv4_addresses_written_as_ipv6_is_the_ipv4_range() -> None:
    assert str(read_network("::ffff:203.0.113.0/120")) == "203.0.113.0/24"
    assert read_network("203.0.113.9/24", strict=True) is None
