"""Our own key is published once, however many processes start at once."""

from concurrent.futures import ThreadPoolExecutor

from meldbalie.flows.publishing import publish_own_key
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.migrate import migrate
from meldbalie.models.published_keys import PublishedKey
from meldbalie.models.session import Database
from meldbalie.settings import Settings
from meldbalie.tests.flows.world import START
from meldbalie.tests.postgres import PostgresServer
from meldbalie.tests.waiting import until
from sqlalchemy import select, text

ADDRESS = "cvd@voorbeeld.example"


def test_two_processes_that_publish_our_key_for_the_first_time_do_so_once(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.new_database() as name, Keyring.throwaway() as keyring:
        database = Database(postgres_server.url(name))
        migrate(database)
        key = keyring.make_key("Meldpunt", ADDRESS)
        config = Settings.model_validate({"organisation": {"address": ADDRESS}, "pgp": {"fingerprint": key}})

        def waits() -> int:
            with database.reading() as session:
                asked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                return session.scalars(asked).one()

        with ThreadPoolExecutor(1) as pool:
            with database.unit_of_work() as session:
                octets = keyring.export_for_publication(key, ADDRESS)
                first = {"fingerprint": key, "address": ADDRESS, "octets": octets, "expires_at": None}
                session.add(PublishedKey(**first, published_at=START, is_current=True))
                session.flush()
                second = pool.submit(publish_own_key, database, keyring, config, now=START)
                until(waits, "the second process to wait for the first")
            assert second.result() is False

        with database.reading() as session:
            assert session.scalars(select(PublishedKey.fingerprint)).all() == [key]
        assert publish_own_key(database, keyring, config, now=START) is False
        database.close()
