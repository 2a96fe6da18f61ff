"""Mail that is never lost."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

IMAP_NUMBER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Change the tables."""
    if op.get_bind().dialect.name == "postgresql":  # SQLite's integers have 64 bits
        op.alter_column("ledger", "uidvalidity", type_=sa.BigInteger())
        op.alter_column("ledger", "uid", type_=sa.BigInteger())
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("kind", "about", name=op.f("uq_alarms_kind")),
    )
    op.create_table(
        "audited_folders",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("uidvalidity", IMAP_NUMBER, autoincrement=False, nullable=False),
        sa.Column("uid", IMAP_NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "uidvalidity", name=op.f("pk_audited_folders")),
    )
    op.create_table(
        "dismissals",
        sa.Column("ledger_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("because", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["ledger_id"], ["ledger.id"], name=op.f("fk_dismissals_ledger_id_ledger")),
        sa.PrimaryKeyConstraint("ledger_id", name=op.f("pk_dismissals")),
    )
    op.create_table(
        "published_keys",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_published_keys")),
    )
    op.create_table(
        "suggestions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("joined", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["other_id"], ["tickets.id"], name=op.f("fk_suggestions_other_id_tickets")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_suggestions_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggestions")),
        sa.UniqueConstraint("ticket_id", "other_id", name=op.f("uq_suggestions_ticket_id")),
    )
    with op.batch_alter_table("suggestions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suggestions_other_id"), ["other_id"], unique=False)

    op.create_table(
        "undeliverable",
        sa.Column("address_digest", sa.String(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["mail_id"], ["outbox.id"], name=op.f("fk_undeliverable_mail_id_outbox")),
        sa.PrimaryKeyConstraint("address_digest", name=op.f("pk_undeliverable")),
    )
    there = sa.text("same_as IS NOT NULL")
    op.create_index("ix_ledger_copies", "ledger", ["same_as"], sqlite_where=there, postgresql_where=there)
    op.create_index("ix_ledger_outcome", "ledger", ["verdict", "ticket_id", "same_as"])
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_constraint("uq_ledger_mailbox", type_="unique")
        batch_op.create_unique_constraint("uq_ledger_mailbox", ["mailbox", "uidvalidity", "uid", "digest"])

    with op.batch_alter_table("leases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("process", sa.String(), nullable=True))

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("message_id_digest", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("doubt", sa.String(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_messages_message_id_digest"), ["message_id_digest"], unique=False
        )

    with op.batch_alter_table("threads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_threads_owner_id_owners"), "owners", ["owner_id"], ["id"])

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("recipient_digest", sa.String(), nullable=True))
        batch_op.create_index("ix_outbox_to", ["recipient_digest", "created_at"], unique=False)

    with op.batch_alter_table("reporters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("address_digest", sa.String(), nullable=True))
        batch_op.create_index(batch_op.f("ix_reporters_address_digest"), ["address_digest"], unique=False)


def downgrade() -> None:
    """Change them back; IMAP numbers stay wide, since a narrow column might not hold them."""
    with op.batch_alter_table("reporters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reporters_address_digest"))
        batch_op.drop_column("address_digest")

    with op.batch_alter_table("threads", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_threads_owner_id_owners"), type_="foreignkey")
        batch_op.drop_column("owner_id")

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_messages_message_id_digest"))
        batch_op.drop_column("doubt")
        batch_op.drop_column("message_id_digest")

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_to")
        batch_op.drop_column("recipient_digest")

    with op.batch_alter_table("leases", schema=None) as batch_op:
        batch_op.drop_column("process")

    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_constraint("uq_ledger_mailbox", type_="unique")
        batch_op.create_unique_constraint("uq_ledger_mailbox", ["mailbox", "uidvalidity", "uid"])

    op.drop_index("ix_ledger_outcome", "ledger")
    op.drop_index("ix_ledger_copies", "ledger")

    op.drop_table("undeliverable")
    with op.batch_alter_table("suggestions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_suggestions_other_id"))

    op.drop_table("suggestions")
    op.drop_table("published_keys")
    op.drop_table("dismissals")
    op.drop_table("audited_folders")
    op.drop_table("alarms")
