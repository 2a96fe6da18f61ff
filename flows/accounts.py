"""Who answered a form: the account that the reverse proxy let in has to be that of the person named."""

from ..models.errors import Refused
from ..settings import Person, Settings


def check_account(config: Settings, who: str, account: str) -> None:
    """Refuse an answer that did not come from the account of the person whom it names.

    Nothing is checked where no proxy names accounts (``prefect.account_header`` is empty).
    """
    if not config.prefect.account_header:
        return
    if not account:
        raise Refused(
            "this answer came without an account, so it went past the proxy:"
            f" log in at {config.prefect_ui}, and give it again there"
        )
    names = sorted({person.name for person in _people(config) if person.account == account})
    if not names:
        raise Refused(
            f"logged in as {account}, which is nobody's account:"
            " have it written into the configuration, as `account` beside the name"
        )
    if who not in names:
        raise Refused(
            f"logged in as {account}, who is {' or '.join(names)}; the form says {who}:"
            f" choose {' or '.join(names)}, or log in as {who}"
        )


def _people(config: Settings) -> list[Person]:
    roles = (config.lead, config.on_call, config.ciso)
    return [*config.triage, *config.rota.people, *(one for one in roles if one)]
