"""The settings: one table of them, and where each is read from."""

from streamq.model.durability import Durability as Durability
from streamq.settings.table import MOST_CONCURRENCY as MOST_CONCURRENCY
from streamq.settings.table import Seconds as Seconds
from streamq.settings.table import Settings as Settings
from streamq.settings.table import SettingsOptions as SettingsOptions
from streamq.settings.table import refuse_unknown as refuse_unknown
