"""The night's page: its template, its style and its words."""
