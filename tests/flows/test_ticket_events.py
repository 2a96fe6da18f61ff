"""What happens to tickets reaches Prefect as events: all of it, once, and only what may be known there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.desk import prefect_api
from meldbalie.flows.ticket_events import AT_A_TIME, NAME, TO_BE_WRITTEN, UNDER_WAY, emit_pending
from meldbalie.models import acts, tables
from meldbalie.models.cursors import Cursor
from meldbalie.models.desk import DeskRun
from meldbalie.models.owners import Owner
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import Event, Ticket, ticket_called
from meldbalie.tests.flows.glances import goes_round, what_prefect_keeps
from meldbalie.tests.flows.world import World
from meldbalie.tests.postgres import PostgresServer
from meldbalie.tests.prefect_server import PrefectServer, free_port
from meldbalie.tests.waiting import until
from prefect.client.schemas.events import ReceivedEvent
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter
from prefect.settings import PREFECT_API_URL, temporary_settings

FIRST = "CVD-2026-0001"
CANARY = "kanarie-0611"
