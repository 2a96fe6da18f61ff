"""What mails are called: one table, and what some kinds are called by what they are about."""

from collections.abc import Mapping
from types import MappingProxyType

from .wording_facts import Alarm, Facts, Receipt, Rung
from .wording_parts import Kind, Label

#: All that a subject can ever say, but for the ticket number before it.
SUBJECTS: Mapping[Kind, Label] = MappingProxyType(
    {
        Kind.RECEIPT: Label("Ontvangstbevestiging", "Confirmation of receipt"),
        Kind.RECEIPT_PLAIN: Label("Ontvangstbevestiging", "Confirmation of receipt"),
        Kind.OWNER_REPORT: Label("TLP:AMBER Melding over uw systeem", "Report on your system"),
        Kind.OWNER_NOTICE: Label("Er wacht een bericht op u", "A message is waiting for you"),
        Kind.HANDLER_REPORT: Label("TLP:AMBER Nieuwe melding", "New report"),
        Kind.HANDLER_NOTICE: Label("Nieuw ticket", "New ticket"),
        Kind.IBD_COPY: Label("TLP:AMBER Kopie van een melding", "Copy of a report"),
        Kind.ANSWER: Label("Ons antwoord op uw melding", "Our answer to your report"),
        Kind.ANSWER_PLAIN: Label("Ons antwoord staat klaar", "Our answer is ready"),
        Kind.STATE_CHANGED: Label("Voortgang van uw melding", "Progress of your report"),
        Kind.STATE_CHANGED_PLAIN: Label("Voortgang van uw melding", "Progress of your report"),
        Kind.FIXED: Label("Over de oplossing van uw melding", "About the fix of your report"),
        Kind.FIXED_PLAIN: Label("Over de oplossing van uw melding", "About the fix of your report"),
        Kind.PROGRESS: Label("Nieuws over wat u meldde", "News about what you reported"),
        Kind.PROGRESS_PLAIN: Label("Nieuws over wat u meldde", "News about what you reported"),
        Kind.TOLD: Label("Bericht over uw melding", "Message about your report"),
        Kind.TOLD_PLAIN: Label("Er wacht een bericht op u", "A message is waiting for you"),
        Kind.ASKED: Label("Vraag over uw melding", "Question about your report"),
        Kind.ASKED_PLAIN: Label("Er wacht een vraag op u", "A question is waiting for you"),
        Kind.EMBARGO: Label("Tot wanneer wij zwijgen", "Until when we keep silent"),
        Kind.PUBLICATION: Label("Voorstel om te publiceren", "Proposal to publish"),
        Kind.ASSIGNED: Label("Aan u toegewezen", "Assigned to you"),
        Kind.ASSIGNED_NOTICE: Label("Aan u toegewezen", "Assigned to you"),
        Kind.HANDED_OVER: Label("Niet meer aan u toegewezen", "No longer assigned to you"),
        Kind.HANDED_OVER_NOTICE: Label("Niet meer aan u toegewezen", "No longer assigned to you"),
        Kind.MESSAGE: Label("TLP:AMBER Nieuw bericht", "New message"),
        Kind.MESSAGE_NOTICE: Label("Nieuw bericht", "New message"),
        Kind.ORDER_REPLY: Label("Wat uw mail deed", "What your mail did"),
        Kind.ORDER_NOTICE: Label("Over uw mail", "About your mail"),
        Kind.RUNG: Label("Een termijn vraagt aandacht", "A deadline needs attention"),
        Kind.CONFIRM: Label("Bevestig wat u wilt doen", "Confirm what you want to do"),
        Kind.QUARANTINED: Label("Bericht in quarantaine", "Message in quarantine"),
        Kind.CANNOT_OPEN: Label("Wij konden uw bericht niet openen", "We could not open your message"),
        Kind.UNDELIVERED: Label("Mail niet bezorgd", "Mail not delivered"),
        Kind.HELD_COPY: Label("TLP:AMBER Beoordeel de kopie voor de IBD", "Judge the copy for the IBD"),
        Kind.HELD_COPY_NOTICE: Label("Beoordeel de kopie voor de IBD", "Judge the copy for the IBD"),
        Kind.ALARM: Label("De controle vond iets", "The audit found something"),
        Kind.KEY_ALARM: Label("Let op een sleutel", "Mind a key"),
        Kind.KEY_REFUSED: Label("Uw sleutel is niet te gebruiken", "Your key cannot be used"),
        Kind.KEY_WARNING: Label("Een sleutel vraagt aandacht", "A key needs attention"),
    }
)
#: What the mail of a rung is, by the words that the ladder asks for.
RUNG_SUBJECTS: Mapping[str, Label] = MappingProxyType(
    {
        "reminder": SUBJECTS[Kind.RUNG],
        "escalation": Label("Escalatie: een termijn loopt af", "Escalation: a deadline is near"),
        "breach": Label("Een termijn is verstreken", "A deadline has passed"),
    }
)
#: What an alarm is about, where people may go untold because of it.
ALARM_SUBJECTS: Mapping[str, Label] = MappingProxyType(
    {
        "flow_stopped": Label("Alarm: Meldbalie staat deels stil", "Alarm: part of Meldbalie has stopped"),
        "rota_gap": Label("Gat in het piketrooster", "Gap in the on-call rota"),
    }
)
#: What a receipt is called that brings a new link, and confirms nothing.
LINK_RENEWED = Label("Nieuwe geheime link", "New secret link")


def label_of(facts: Facts) -> Label:
    """What a mail is called: by its kind, or by what it is about."""
    match facts:
        case Receipt(occasion="link_renewed"):
            return LINK_RENEWED
        case Rung():
            return RUNG_SUBJECTS[facts.words]
        case Alarm(lines=lines):
            urgent = (ALARM_SUBJECTS[line.kind] for line in lines if line.kind in ALARM_SUBJECTS)
            return next(urgent, SUBJECTS[facts.kind])
        case _:
            return SUBJECTS[facts.kind]
