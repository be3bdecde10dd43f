"""Words of the night's page: months, steps, languages, and what to do about what is held."""

from __future__ import annotations

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""Not from the system: the page must not depend on the machine's locale."""

STEP_TITLES = {
    "pull": "pull",
    "screen": "screen",
    "deduplicate": "deduplicate",
    "decontaminate": "decontaminate",
    "judge": "judge",
    "select": "select",
    "validate": "validate",
}
