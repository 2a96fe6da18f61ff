"""Artifacts: pages in Prefect that handlers open by a saved link, each kept as it stands now.

Prefect keeps every version of an artifact for good, so a page that changes is updated where it is, and
older versions are deleted. At the address of its key, which is the one that can be saved, the UI shows an
artifact's description and not its data: the words of a page lie in the description.
"""

import re
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from .desk import local, prefect_api
from .installation import Records

ACTIVE = re.compile(r"([!-/:-@\[-`{-~])")  # all that Markdown may mean something by
#: Where readers of Markdown make links unasked, also of what is escaped: after `http:`, `www` and before `@`.
LINKED_UNASKED = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
WORD_JOINER = "\N{WORD JOINER}"
SINCE = "\n\n*Unchanged since "


def post(place: Records, key: str, markdown: str) -> bool:
    """Let the artifact of a key say this; ``False`` when it does already, and nothing was written."""
    with prefect_api() as client:
        which = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        versions = client.read_artifacts(artifact_filter=which, sort=ArtifactSort.CREATED_DESC)
        for older in versions[1:]:
            client.delete_artifact(older.id)
        if versions and (versions[0].description or "").rpartition(SINCE)[0] == markdown:
            return False
        _write(client, key, versions[0].id if versions else None, _dated(place, markdown, place.clock()))
    return True


def page(place: Records, key: str) -> str:
    """Where handlers read the artifact of a key."""
    return f"{place.config.prefect_ui}/artifacts/key/{key}"


def plain(name: str) -> str:
    """A name in Markdown, read as it is: no link, image or table arises from what stands in it."""
    words = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    return ACTIVE.sub(r"\\\1", LINKED_UNASKED.sub(WORD_JOINER, words))


def link(words: str, address: str) -> str:
    """Words of ours that lead to an address of ours."""
    return f"[{words}]({address})"


def _dated(place: Records, markdown: str, now: datetime) -> str:
    return f"{markdown}{SINCE}{local(place, now)}.*"


def _write(client: SyncPrefectClient, key: str, version: UUID | None, description: str) -> None:
    """Make an artifact, or change it; the client's own functions would repeat all of it in an event."""
    if version is None:
        made = {"key": key, "type": "markdown", "data": "", "description": description}
        client.request("POST", "/artifacts/", json=made)
    else:
        changed = {"description": description}
        client.request("PATCH", "/artifacts/{id}", path_params={"id": version}, json=changed)
