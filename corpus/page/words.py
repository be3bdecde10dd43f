"""Words of the night's page: months, steps, languages, and what to do about what is held."""

from __future__ import annotations

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""Not from the system: the page must not depend on the machine's locale."""

STEP_MEANINGS = {
    "pull": "read from the logs",
    "screen": "cheap rules; personal data replaced",
    "deduplicate": "nothing twice",
    "decontaminate": "no text of evaluations",
    "judge": "a rating from 1 to 10",
    "select": "threshold and quotas",
    "validate": "the corpus contract",
}

_LOOK = "read one with <code>gristmill explain {example}</code>"

NEXT_STEPS = {
    "": _LOOK,
    "no_consent": "if these people agreed to publication, set <code>consent</code> for <code>{source}</code> in "
    "<code>gristmill.toml</code>; else leave it: nothing of them leaves this machine",
    "no_licence": "set <code>licence</code> (an SPDX id) for <code>{source}</code> in <code>gristmill.toml</code>",
    "licence_not_allowed": "add the licence to <code>corpus.licences</code> if the corpus may carry it; " + _LOOK,
    "too_many_secrets": _LOOK + "; <code>screen.max_redactions</code> sets how much is too much",
    "unrated_too_long": "<code>judge.max_tokens</code> sets how much the judge reads; " + _LOOK,
    "judges_disagree": _LOOK + "; <code>judge.max_disagreement</code> sets how far judges may be apart",
    "unrated_for_now": "the next night asks again; <code>gristmill doctor</code> checks the judge",
    "unrated_no_reply": "run the night again when the judge answers; <code>gristmill doctor</code> checks it",
}
"""By reason, as HTML with places for the source and the id of one of them."""

SOURCE_REASONS = ("no_consent", "no_licence", "licence_not_allowed")
"""Reasons whose remedy is a setting of the source."""

LANGUAGES = {
    "af": "Afrikaans", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali",
    "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian",
    "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh", "ko": "Korean", "la": "Latin", "lt": "Lithuanian",
    "lv": "Latvian", "mk": "Macedonian", "mr": "Marathi", "ms": "Malay", "nb": "Norwegian Bokmål", "nl": "Dutch",
    "nn": "Norwegian Nynorsk", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian",
    "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""The commoner ISO 639-1 codes; another code stands for itself."""
