"""The reason codes: why something was dropped or held, in a sentence people can read.

A step may only use codes that stand here (a test checks it); the night's page and `explain` print the sentences.
"""

from __future__ import annotations

UNRATED_FOR_NOW = "unrated_for_now"
"""What waits for the judge, not for a person."""

REASONS: dict[str, str] = {
    # pull
    "unreadable": "The record is damaged or not of a known form; its place is in the quarantine file.",
    "no_content": "The record carries no conversation (prompts not stored, failed call, empty chat).",
    "no_consent": "No basis for publication is known for this source; set `consent` for it.",
    "no_licence": "No licence is known for this source; set `licence` for it.",
    "licence_not_allowed": "The licence is not one that the corpus allows.",
    # screen: structure
    "no_user_turn": "Nobody asks anything.",
    "no_assistant_turn": "Nobody answers.",
    "ends_without_answer": "The last turn is not the assistant's.",
    "not_alternating": "The same role speaks twice in a row, or the assistant speaks first.",
    "misplaced_system": "A system message stands after the beginning.",
    "empty_turn": "A turn is empty.",
    "unfinished_answer": "The log marks the last answer as cut off or failed.",
    "truncated_answer": "The last answer stops in the middle of a sentence or a code block.",
    "too_short": "Too few words to learn from.",
    "too_long": "Longer than the judge and the trainers read.",
    "too_many_turns": "More turns than the settings allow.",
    # screen: language and text
    "language_not_wanted": "The language is not among those the settings ask for.",
    "language_unknown": "No language could be recognised with confidence.",
    "mojibake": "Characters were decoded wrongly somewhere before the log.",
    "control_characters": "Control characters that no text needs.",
    "markup_soup": "More markup than text.",
    "symbol_ratio": "Too many symbols for the number of words (Gopher).",
    "word_length": "The mean word length is not that of a language (Gopher).",
    "few_letters": "Too few words contain a letter (Gopher).",
    "repeated_lines": "Too much of the text is in repeated lines (Gopher).",
    "repeated_ngrams": "Too much of the text is in repeated word sequences (Gopher).",
    # screen: answers
    "refusal": "The assistant refuses.",
    "boilerplate": "The answer is a stock phrase.",
    "error_text": "The answer is an error message of the system.",
    "chat_template_leak": "Control tokens of a chat template stand in the text.",
    "advert": "The text advertises.",
    "failed_screen": "The screen itself failed on this conversation, so nobody knows what it holds.",
    # redact
    "too_many_secrets": "So much was redacted that a person should look first.",
    "unredactable": "Personal data or a secret stands where it cannot be replaced.",
    # deduplicate
    "exact_duplicate": "The same turns are already there.",
    "prefix_duplicate": "A longer record of the same conversation is there.",
    "near_duplicate": "Nearly the same text is already there.",
    "withdrawn": "This sample was withdrawn from the corpus and must not return.",
    # decontaminate
    "evaluation_text": "It contains text of an evaluation set.",
    # judge
    "unrated_too_long": "Longer than the judge can read.",
    UNRATED_FOR_NOW: "The judge gave no rating for now; the next night asks it again.",
    "unrated_no_reply": "The judge did not answer.",
    "unrated_bad_reply": "The judge's reply held no rating.",
    "judges_disagree": "The judges of the panel are too far apart for their mean to mean anything.",
    "unrated_scripted": "The script has no rating for this conversation.",
    # select
    "below_threshold": "The rating is below the threshold.",
    "semantic_duplicate": "Another conversation, picked before or rated better, says the same in other words.",
    "not_intact": "An answer looks damaged or out of place: cut off, looping, to another question.",
    "over_night_quota": "The night's quota was filled by better ones.",
    "over_expert_quota": "The expert's quota was filled by better ones.",
    "over_contributor_quota": "The contributor's quota was filled by better ones.",
    # validate
    "invalid_sample": "The sample breaks the corpus contract.",
    # export
    "sealed_holdout": "It is of the sealed holdout, which is measured on and never trained on.",
    "tool_turn": "A tool speaks in it, and its calls are kept as text, which is no toolkit's form of them.",
    "control_token": "It spells a token with which chat templates mark turns; rendered, it would begin or end one.",
    "no_alternative": "No other reply stood beside one of the conversation.",
    "no_preference": "No vote or rank says that another reply is better than this one.",
    "no_vote": "Nobody voted on this reply, so it is neither good nor bad.",
    "contradictory_signals": "What people said of it contradicts itself.",
    "same_reply": "The two replies are the same but for white space around them.",
    "reject_reason_unclear": "It was rejected for no reason that says it may be shown as a bad example.",
    "no_text": "Its text is not in the history of the corpus.",
    "several_turns": "This toolkit reads one question here, not several turns.",
    "media_tag": "The text has the tag of an image, video or sound, which this toolkit would look for.",
    "reply_not_found": "This toolkit looks for the reply in the rendered text and would cut at another place.",
}
