"""Starts a round as a run of somebody's Prefect deployment, and does not wait for it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from prefect.client.schemas import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, ParameterTypeError, PrefectException, PrefectHTTPStatusError
from prefect.settings import get_current_settings

from flows.round_webhook import RoundRefused


def run_round(name: str, parameters: Mapping[str, str], key: str) -> str:
    """Creates a run of the deployment `flow/deployment`, and gives its name in words; the same key gives the same run.

    Raises:
        RoundRefused: no Prefect server is named, or it has no such deployment, or refuses the parameters.
    """
    url = get_current_settings().api.url
    if url is None:  # Prefect would start a server of its own, which has no deployments
        raise RoundRefused(
            f"the deployment {name} is on a Prefect server of your own; set PREFECT_API_URL to its address"
        )
    try:
        run = run_deployment(name, parameters=dict(parameters), timeout=0, idempotency_key=key, as_subflow=False)
    except ObjectNotFound as error:
        raise RoundRefused(
            f"the Prefect server at {url} has no deployment {name}; `prefect deployment ls` shows those it has"
        ) from error
    except (PrefectHTTPStatusError, ParameterTypeError) as error:
        raise RoundRefused(
            f"the deployment {name} refuses the parameters {', '.join(parameters)} ({str(error):.200}); its flow must "
            "take them"
        ) from error
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        raise RoundRefused(f"the Prefect server at {url} cannot be asked ({str(error):.200}); start it") from error
    assert isinstance(run, FlowRun)  # outside an event loop it is no coroutine
    return f"run {run.name} of {name} was created"
