"""When and in what order: thin Prefect flows and the command line."""

import os

# Prefect looks up an analytics host while it is imported, unless this is set before.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
