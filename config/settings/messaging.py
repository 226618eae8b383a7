"""The messaging edge: how long events stay where they are looked for."""

from config.settings import environment

# After so many days an event of a locked day is moved into the archive; 0 moves none.
EVENT_ARCHIVE_DAYS = environment.whole_number("EVENT_ARCHIVE_DAYS", default=0)
