"""A judge behind any OpenAI-compatible server: the only module that calls one.

The rating is read from the log-probabilities of the reply's rating token where the server offers them, else from the
reply's last number. What cannot be read is `Unrated`, never a low score. The conversation is data inside a fence; the
key comes from the environment variable named in the settings and appears in no message.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import openai

from judges.fence import fenced_text
from judges.rubric import Rubric
from schemas.canonical import digest
from schemas.conversation import Turn
from schemas.errors import JudgeError, SettingsError
from schemas.settings import JudgeSettings
from schemas.verdict import RATING_MAX, RATING_MIN, JudgeIdentity, Unrated, Verdict

_USER = "This is the chat to rate, between marked lines:\n{conversation}{question}"
_OUT_OF_10 = re.compile(r"(?<=\d)\s*(?:/|out\s+of|of)\s*10\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,-])(\d+(?:\.\d+)?)(?!\w|[.,]\d)")
_QUOTED = re.compile(r"```.*?(?:```|$)", re.DOTALL)

_RETRIES = 4
"""Tries after the first, with the client's exponential backoff (0.5 to 8 s) or the server's Retry-After."""

_REPLY_TOKENS = 16
"""Enough for `Rating: 10/10`; what a server says beyond that is not read."""

_TOP_LOGPROBS = 10
_REFUSALS = (openai.BadRequestError, openai.UnprocessableEntityError)
"""What servers answer to a parameter that they do not know, or to a conversation that is too long for them."""

_SETUP_ERRORS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)

_log = logging.getLogger("gristmill.judge.endpoint")


class EndpointJudge:
    """Asks a server for ratings, several conversations at once; results keep the order of the input.

    Raises:
        SettingsError: `judge.endpoint_url` or `judge.endpoint_model` is missing.
    """

    def __init__(self, settings: JudgeSettings, rubric: Rubric) -> None:
        if not settings.endpoint_url or not settings.endpoint_model:
            raise SettingsError('judge.kind = "endpoint" needs judge.endpoint_url and judge.endpoint_model')
        self._settings, self._rubric, self._model = settings, rubric, settings.endpoint_model
        self._has_logprobs = True
        self._identity = JudgeIdentity(
            name="endpoint",
            model=self._model,
            model_digest=digest(self._model),
            rubric=rubric.name,
            rubric_digest=rubric.digest(),
            prompt_digest=digest([_USER, _REPLY_TOKENS, "fence-1"]),
        )

    @property
    def identity(self) -> JudgeIdentity:
        """The model's name as the server knows it; its address and key are no part of it."""
        return self._identity

    @cached_property
    def _client(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self._settings.endpoint_url,
            api_key=os.environ.get(self._settings.endpoint_key_env) or "none",
            timeout=self._settings.endpoint_timeout_s,
            max_retries=_RETRIES,
            default_headers={"User-Agent": "gristmill"},
        )

    def judge(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[Verdict | Unrated]:
        """One verdict a conversation, in order.

        Raises:
            JudgeError: the server refuses the key or does not know the model; no conversation could be rated.
        """
        with ThreadPoolExecutor(self._settings.endpoint_concurrency, thread_name_prefix="endpoint") as pool:
            yield from pool.map(self._one, conversations)

    def price(self, n_tokens: int) -> float:
        """What so many tokens cost, in the currency of the settings' price."""
        return n_tokens * self._settings.endpoint_price_per_million_tokens / 1e6

    def close(self) -> None:
        """Closes the connections."""
        if "_client" in self.__dict__:
            self._client.close()

    def _one(self, turns: Sequence[Turn]) -> Verdict | Unrated:
        started = time.monotonic()
        try:
            reply = self._ask(turns)
        except _SETUP_ERRORS as error:
            raise JudgeError(
                f"{self._settings.endpoint_url} answers {error.status_code} for model {self._model!r}; check "
                f"judge.endpoint_url, judge.endpoint_model and the key in ${self._settings.endpoint_key_env}"
            ) from None  # the error's own text may quote the key
        except (openai.OpenAIError, ValueError) as error:
            status = getattr(error, "status_code", "")
            evidence = f"{type(error).__name__} {status}".strip()
            return Unrated("unrated_no_reply", evidence, is_retryable=not isinstance(error, _REFUSALS))
        return self._verdict(reply, started)

    def _verdict(self, reply: Any, started: float) -> Verdict | Unrated:
        choices = getattr(reply, "choices", None)  # a proxy's page of HTML comes as a string
        if not choices or getattr(choices[0], "message", None) is None:
            return Unrated("unrated_no_reply", "the answer is not a chat completion", is_retryable=True)
        text = choices[0].message.content or ""
        rating = rating_of(text, getattr(choices[0], "logprobs", None))
        if rating is None:
            evidence = f"no number from 1 to 10 in a reply of {len(text)} characters"
            return Unrated("unrated_bad_reply", evidence, is_retryable=True)
        n_tokens = int(getattr(getattr(reply, "usage", None), "total_tokens", 0) or 0)
        return Verdict(
            round(rating, 2), self._identity, n_tokens=n_tokens, seconds=round(time.monotonic() - started, 3)
        )

    def _ask(self, turns: Sequence[Turn]) -> Any:
        if not self._has_logprobs:
            return self._completion(turns, {})
        try:
            return self._completion(turns, {"logprobs": True, "top_logprobs": _TOP_LOGPROBS})
        except _REFUSALS:
            reply = self._completion(turns, {})  # raises where logprobs were not what it refused
        if self._has_logprobs:
            _log.info("the endpoint refuses logprobs; replies are parsed from now on")
        self._has_logprobs = False
        return reply

    def _completion(self, turns: Sequence[Turn], wanted: dict[str, Any]) -> Any:
        return self._client.chat.completions.create(
            model=self._model,
            messages=[
                {"role": "system", "content": self._rubric.system_text()},
                {"role": "user", "content": user_text(turns, self._rubric)},
            ],
            max_tokens=_REPLY_TOKENS,
            temperature=0,
            **wanted,
        )


def user_text(turns: Sequence[Turn], rubric: Rubric) -> str:
    """What the judge is asked about a conversation, after the rubric's instructions."""
    return _USER.format(conversation=fenced_text(turns), question=rubric.question.strip())


def rating_of(text: str, logprobs: Any = None) -> float | None:
    """The rating in a reply: expected over the alternatives of its rating token, else its last number; None without.

    What stands between ``` is quoted, not said. `8/10` and `8 out of 10` say 8. A number off the scale is no rating.
    """
    numbers = _NUMBER.findall(_OUT_OF_10.sub(" ", _QUOTED.sub(" ", text)))
    said = float(numbers[-1]) if numbers else None
    if said is None or not RATING_MIN <= said <= RATING_MAX:
        return None
    expected = _expected(getattr(logprobs, "content", None) or [], said)
    return said if expected is None else expected


def _expected(tokens: Sequence[Any], said: float) -> float | None:
    """The mean over the alternatives of the last token that begins the rating which was said; None where there is none.

    Where "10" is two tokens, the alternative "1" of a reply that says 10 counts as 10.
    """
    for place in range(len(tokens) - 1, -1, -1):
        token = tokens[place].token.strip()
        follows = tokens[place + 1].token.strip() if place + 1 < len(tokens) else ""
        is_split_ten = said == RATING_MAX and token == "1" and follows.startswith("0")
        if is_split_ten or (_is_rating(token) and int(token) == math.floor(said)):
            return _mean(tokens[place].top_logprobs or [], RATING_MAX if is_split_ten else 1.0)
    return None


def _is_rating(token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) <= 2 and RATING_MIN <= int(token) <= RATING_MAX


def _mean(alternatives: Sequence[Any], value_of_one: float) -> float | None:
    total = weighted = 0.0
    for alternative in alternatives:
        token = alternative.token.strip()
        if _is_rating(token):
            weight = math.exp(min(0.0, alternative.logprob))
            total += weight
            weighted += weight * (value_of_one if token == "1" else float(token))
    return weighted / total if total > 0 else None
