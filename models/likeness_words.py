"""What a report says, as a set of words that can be compared: by another reporter, in another language.

Left out is what tells nothing of the problem: quotes, signatures, greetings, hosts, mail addresses, numbers
and the words of every report. Words are cut to their first letters, which makes one of most that Dutch and
English share (``injectie``, ``injection``); the names of problems are made one by a table. What tells more
counts more: it stands in the set several times, with a number.

A library does not do this: those that compare texts (rapidfuzz) need both in the clear, those that make
sketches of them (datasketch) bring numpy and scipy along, and neither knows what a report is about.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

#: So many letters of a word are compared.
STEM = 6
#: How much the name of a problem counts, and a place on a site: a word counts once.
OF_A_PROBLEM, OF_A_PLACE = 4, 2
LONGEST = 10_000  # characters of a text that are looked at

_BEGINS_ANOTHER = re.compile(
    r"\s*(?:--|-{2,}\s*(?:original message|oorspronkelijk bericht)\s*-{2,}"
    r"|-{2,}\s*(?:forwarded message|doorgestuurd bericht)\s*-{2,}"
    r"|-----BEGIN PGP (?:SIGNATURE|PUBLIC KEY BLOCK)-----)\s*",
    re.IGNORECASE,
)
_TAKES_LEAVE = re.compile(
    r"\s*(?:(?:met )?(?:vriendelijke |hartelijke )?groet(?:en|jes)?|mvg|alvast bedankt|hoogachtend"
    r"|(?:with )?(?:(?:kind|best|warm)(?:est)? )?regards|cheers|sincerely|thanks|thank you"
    r"|yours (?:sincerely|faithfully))[\s,.!]*",
    re.IGNORECASE,
)
#: A greeting so many lines from the end is the last one.
MOST_AFTER_LEAVE = 12
_URL = re.compile(r"h(?:tt|xx)ps?\W{3}[^\s/?#<>\"']+(?P<place>[^\s<>\"'),]*)", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/])(?P<place>/[a-z][\w-]*(?:/[\w.-]+)*/?(?:\?[^\s<>\"'),]*)?)", re.IGNORECASE)
_HOST = re.compile(
    r"[^\s@]{1,64}@\S+|\b(?:[\w-]{1,63}(?:\.|\[\.\])){1,20}[a-z]{2,24}\b|\b[0-9a-f]{12,64}\b",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?P<sign>[/?&#])(?P<name>[a-z][\w-]{0,30})", re.IGNORECASE)
_NUMBERED = re.compile(r"\b(?:cve|cwe)-\d[\d-]*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{3,}")

#: The names of problems, as reporters call them in both languages.
PROBLEMS: Mapping[str, str] = {
    "xss": r"xss|cross.?site.?script\w*|script(?:code)? (?:wordt )?uitgevoerd|javascript inject\w*",
    "sqli": r"sql.?inject\w*|sqli\b|sqlmap",
    "redirect": r"open.?redirect\w*|doorverwijz\w*|(?:unvalidated|onge\w+) redirect\w*",
    "idor": r"\bidor\b|\bbola\b|insecure direct object\w*|van anderen\b|of others\b"
    r"|(?:other|another) (?:user|citizen|person|people|resident|customer|applicant|client)\w*"
    r"|ander(?:e|en)? (?:gebruiker|inwoner|burger|persoon|persone|mens|klant|aanvrager)\w*",
    "csrf": r"\b[cx]srf\b|cross.?site.?request\w*",
    "clickjack": r"click.?jack\w*|x-frame-options|frame-ancestors|ui redress\w*",
    "spf": r"\bspf\b",
    "dmarc": r"\bdmarc\b",
    "dkim": r"\bdkim\b",
    "spoof": r"spoof\w*|vervals\w*|uit (?:uw|jullie) naam|on your behalf|in your name",
    "takeover": r"take.?over\w*|overgenomen|overneem\w*|overnem\w*|dangling|verweesd\w*",
    "listing": r"(?:directory|index).?(?:listing|browsing|indexing)|mappenlijst|inhoud van \w* ?map\w*"
    r"|bestandenlijst|index of",
    "git": r"\.git\b|git.?(?:repository|repo|map|folder)",
    "env": r"\.env\b",
    "backup": r"back.?up\w*|reservekopie\w*|database dump|sql dump|\.(?:sql|bak)\b",
    "tls": r"\btls\b|\bssl\b|cipher\w*|\brc4\b|3des|poodle|heartbleed",
    "certificate": r"certifica\w*",
    "headers": r"(?:security|beveiligings)\W?headers?|content.?security.?policy|\bcsp\b|\bhsts\b"
    r"|strict.transport.security|x-content-type-options",
    "cookie": r"cookies?\b|httponly|samesite",
    "session": r"sessi\w*",
    "password": r"password\w*|wachtwoord\w*|passphrase\w*",
    "reset": r"reset\w*|herstel\w*|forgot\w*|vergeten",
    "login": r"log.?in\w*|log.?on\w*|sign.?in\w*|inlog\w*|aanmeld\w*",
    "logout": r"log.?out\w*|uitlog\w*|afmeld\w*",
    "bruteforce": r"brute.?forc\w*|rate.?limit\w*|onbeperkt\w*|unlimited|lockout|zo vaak",
    "rce": r"\brce\b|remote code\w*|command inject\w*|code execution\w*|shell\b|willekeurige code",
    "traversal": r"travers\w*|\.\./|\blfi\b|local file\w*|\.\.%2f|willekeurige? bestand\w*|arbitrary files?",
    "ssrf": r"\bssrf\b|server.?side.?request\w*",
    "xxe": r"\bxxe\b|external entit\w*",
    "upload": r"upload\w*|oplaad\w*|geupload\w*",
    "cors": r"\bcors\b|access-control-allow\w*",
    "version": r"versi(?:on|e)\w*|banner\b|fingerprint\w*",
    "outdated": r"outdated|verouderd\w*|end.?of.?life|\beol\b|unpatched|niet bijgewerkt",
    "default": r"default (?:cred\w*|pass\w*|login)|standaard\w*",
    "disclosure": r"disclos\w*|leak\w*|lek(?:t|ken|ken)?\b|expos\w*|prijsgeven|openbaar\b|publicly|zichtbaar",
    "enumeration": r"enumerat\w*|bestaat (?:niet|wel)|does (?:not )?exist|geldige (?:gebruikers|adressen)",
    "error": r"stack ?trace\w*|foutmelding\w*|error message\w*|debug\w*|exception\w*",
    "admin": r"admin\w*|beheer\w*",
    "api": r"\bapi\b|endpoint\w*|graphql|swagger|rest\b",
    "wordpress": r"wordpress|wp-\w+|xmlrpc\w*",
    "personal": r"personal (?:data|information)|persoonsgegevens|privacygevoelig\w*|\bbsn\b|social security"
    r"|addresses of (?:citizens|residents)|\bpii\b",
    "search": r"search\w*|zoek\w*",
    "form": r"formulier\w*|\bforms?\b",
    "document": r"document\w*|\bpdfs?\b|attachment\w*|bijlage\w*|beschikking\w*|letter of decision",
    "permit": r"permit\w*|vergunning\w*",
    "parking": r"parking|parkeer\w*|parkeren",
    "appointment": r"appointment\w*|afspra\w*",
    "payment": r"payment\w*|betal\w*|\bamount\b|bedrag\w*|\bpay\b|price|prijs",
    "account": r"accounts?\b|profiel\w*|profiles?\b",
    "file": r"\bfiles?\b|bestand\w*",
    "dns": r"\bdns\b|cname|\ba-record|nameserver\w*|naamserver\w*",
    "bucket": r"bucket\w*|\bs3\b|blob storage|azure storage|opslag\w*",
    "key": r"api.?keys?|api.?sleutel\w*|secret keys?|access.?keys?|hard.?coded|credentials?|inloggegevens",
    "printer": r"printer\w*|webcam\w*|camera\w*",
    "token": r"tokens?\b|\bjwt\b",
    "expire": r"expir\w*|verlo(?:op|p)\w*|verlopen",
    "change": r"chang\w*|wijzig\w*|verander\w*|alter\w*|modif\w*|aanpass\w*",
    "download": r"download\w*|binnenhal\w*",
    "mail": r"e-?mail\w*|\bmails?\b",
    "number": r"number\w*|nummer\w*",
    "reflected": r"reflect\w*|weerspiegel\w*|ongefilterd\w*|unfiltered|unescaped|teruggegeven|echoed",
    "stored": r"stored|opgeslagen|persisten\w*",
}
_PROBLEMS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PROBLEMS.items()}

#: Words of every report, in both languages.
_COMMON_WORDS = """
the and for with that this you your our are was were has have had can could will would not but from they
them their there here when where which what who how all any also into out over than then its just only some
such very more most other about after before because been being does did done get got let may might must
need one two see should use used using via want well while without een het van voor met dat dit deze die uw
jullie onze zijn waren heb heeft kan kunnen zou zal worden wordt werd niet maar als dan daar hier waar wat
wie hoe alle ook naar uit door bij nog wel geen meer veel zo om op te er aan tot zonder omdat doordat zodat
zelf iets iemand men mijn hello dear sir madam team security researcher report reporting reported
vulnerability vulnerable vulnerabilities bug issue problem found find hope doing name please kindly regards
thank thanks website site web page domain server host url link impact severity low medium high critical
steps reproduce reproduction proof concept poc description summary remediation recommendation fix attacker
attackers allow allows following below above attached screenshot video bounty reward compensation hallo
geachte heer mevrouw beste beveiliging onderzoeker melding melden meld gemeld kwetsbaarheid kwetsbaar lek
fout gevonden vind vond hoop goed naam graag groet groeten dank bedankt pagina domein stappen reproduceren
bewijs beschrijving samenvatting advies oplossing aanvaller aanvallers mogelijk volgende onderstaande
bovenstaande schermafdruk filmpje beloning gemeente municipality organisation independent ethical hacker
hackers white noticed detected testing scanner waiting response recommend advise adviseer
beveiligingsonderzoeker ontdekt ontdekte merkte https http www curl browser firefox chrome burp open click
example test user users
"""
_COMMON = frozenset(word[:STEM] for word in _COMMON_WORDS.split())


def words_of(text: str) -> frozenset[str]:
    """The words of a report that tell what it is about, as they are compared."""
    said = _own_words(text[:LONGEST])
    said = "".join(one for one in unicodedata.normalize("NFKD", said) if not unicodedata.combining(one))
    return frozenset(_words(said.casefold()))


def _words(said: str) -> Iterator[str]:
    for found in _NUMBERED.findall(said):
        yield from _times(found, OF_A_PROBLEM)
    places = [found["place"] for pattern in (_URL, _PATH) for found in pattern.finditer(said)]
    said = _PATH.sub(" ", _URL.sub(" ", said))
    for found in _PLACE.finditer(" ".join(places)):
        sign = "/" if found["sign"] == "/" else "?"
        yield from _times(f"{sign}{found['name']}", OF_A_PLACE)
    for name, pattern in _PROBLEMS.items():
        said, times = pattern.subn(" ", said)
        if times:
            yield from _times(f"!{name}", OF_A_PROBLEM)
    for word in _WORD.findall(_HOST.sub(" ", said)):
        if word[:STEM] not in _COMMON:
            yield word[:STEM]


def _times(word: str, count: int) -> Iterator[str]:
    return (f"{word}#{number}" for number in range(count))


def _own_words(text: str) -> str:
    """The text without what it quotes, the leave that it takes and what stands below it."""
    lines = [line for line in text.splitlines() if not line.startswith(">")]
    for number, line in enumerate(lines):
        ends = _BEGINS_ANOTHER.fullmatch(line[:100])
        if ends or (len(lines) - number <= MOST_AFTER_LEAVE and _TAKES_LEAVE.fullmatch(line[:100])):
            return "\n".join(lines[:number])
    return "\n".join(lines)
