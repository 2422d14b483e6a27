"""MLflow: a run for a study, and in it a run for each recipe and seed. The only file that imports mlflow."""

import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import mlflow
from mlflow.entities import Metric, Param, RunTag

from kohort.errors import DataError, KohortError
from kohort.report.document import Document
from kohort.report.html import page
from kohort.run import Run, best_validated
from kohort.store.identity import Identity
from kohort.trackers.tracker import at_the_end, by_epoch, key_of, parameters, run_key, verdicts_of

Models = Literal["none", "best", "all"]
"""Which models MLflow keeps: none; that of the run that does best on its own validation rows, with the study; or each
with its own run."""

AT_ONCE = 1000
"""Numbers that MLflow takes in one request."""

MANNERS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""By itself MLflow asks a server that is down for four minutes, and a study is not to wait so long; and it prints two
lines for each run among what a command says. What the user has set in the environment holds."""


@dataclass(frozen=True)
class MLflow:
    """Keeps studies in MLflow.

    A study becomes a run, with what decides its numbers as parameters, its verdicts as tags and description, and
    `report.html`. Each of its runs becomes a child: recipe, strengths, seed, epochs and batch size as parameters, all
    logs by epoch and the test score as metrics. A study that is told of again, resumed or with more seeds, is found by
    its tags, and what is there is not logged twice.

    Args:
        uri: The tracking server, or a local store such as `sqlite:///mlflow.db`; MLflow's own choice if None.
        experiment: The experiment, which is made if it is not there.
        models: Which models are kept, as `mlflow.keras.load_model("runs:/…/model")` loads them, for which all of
            `mlflow` is needed; none by default, for they may be large.

    Raises:
        DataError: `models` is something else.
    """

    uri: str | None = None
    experiment: str = "kohort"
    models: Models = "none"

    def __post_init__(self) -> None:
        if self.models not in get_args(Models):
            raise DataError(f"models must be one of {', '.join(map(repr, get_args(Models)))}. Got {self.models!r}.")

    def __str__(self) -> str:
        return f"MLflow at {self.uri or mlflow.get_tracking_uri()}"

    def open(self, identity: Identity) -> "MLflowLog":
        """Opens a study.

        Args:
            identity: What the study is.
        """
        with _mannered():
            return MLflowLog(self, identity)


class MLflowLog:
    """A study in MLflow, open.

    Args:
        tracker: Where it is.
        identity: What the study is.
    """

    def __init__(self, tracker: MLflow, identity: Identity):
        self._models, self._identity, self._study = tracker.models, identity, key_of(identity)
        self._client = mlflow.MlflowClient(tracking_uri=tracker.uri)
        self._experiment = self._experiment_named(tracker.experiment)
        self._best: Run | None = None
        found = list(self._found())
        self._known = {own.data.tags["kohort.run"] for own in found if _is_whole(own)}
        halves = [own for own in found if "kohort.run" in own.data.tags and not _is_whole(own)]
        self._halves = {own.data.tags["kohort.run"]: own.info.run_id for own in halves}
        parents = [own for own in found if "kohort.run" not in own.data.tags]
        self._parent = parents[0].info.run_id if parents else self._begun()
        self._kept = parents[0].data.tags.get("kohort.model", "") if parents else ""
        self._client.update_run(self._parent, status="RUNNING")

    def add(self, run: Run) -> None:
        """Keeps a run that has ended, unless it is there."""
        self._best = best_validated([run] if self._best is None else [self._best, run])
        key = run_key(run, self._identity)
        if key in self._known:
            return
        with _mannered():
            if not self._was_half_told(key):
                self._add(run, key)
        self._known.add(key)

    def finish(self, document: Document | None) -> None:
        """Keeps verdicts, report, and the best model where it is wanted."""
        with _mannered():
            if document is not None:
                self._tell(document)
            if self._models == "best" and self._best is not None:
                self._keep_best(self._best)
            self._client.set_terminated(self._parent)

    def leave(self) -> None:
        """Notes that the study was interrupted."""
        with _mannered():
            self._client.set_terminated(self._parent, status="KILLED")

    def _was_half_told(self, key: str) -> bool:
        """Whether another process has told a run to its end meanwhile; what nobody did is removed, to be told anew."""
        if key not in self._halves:
            return False
        half = self._halves.pop(key)
        whole = _is_whole(self._client.get_run(half))
        if not whole:
            self._client.delete_run(half)
        return whole

    def _experiment_named(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return self._client.create_experiment(name) if found is None else found.experiment_id

    def _found(self) -> Iterator[Any]:
        """All that MLflow has of this study."""
        wanted, page_token = f"tags.`kohort.study` = '{self._study}'", None
        while True:
            runs = self._client.search_runs([self._experiment], wanted, page_token=page_token)
            yield from runs
            page_token = runs.token
            if not page_token:
                return

    def _begun(self) -> str:
        """A new run for the study."""
        own = self._identity
        tags = {"kohort.study": self._study}
        run = self._client.create_run(self._experiment, tags=tags, run_name=f"study of {own.dataset}"[:250])
        params = {"dataset": own.dataset, **own.decides}
        self._client.log_batch(run.info.run_id, params=_params(params))
        return run.info.run_id

    def _add(self, run: Run, key: str) -> None:
        now = int(1000 * time.time())
        took = run.diagnostics.get("seconds")
        began = now if took is None or not len(took) else now - int(1000 * float(took[-1]))
        tags = {
            "kohort.study": self._study,
            "kohort.run": key,
            "kohort.outcome": str(run.outcome),
            "mlflow.parentRunId": self._parent,
        }
        name = f"{run.recipe}, seed {run.seed}"[:250]
        own = self._client.create_run(self._experiment, start_time=began, tags=tags, run_name=name).info.run_id
        self._client.log_batch(own, params=_params(parameters(run, self._identity)))
        metrics = [
            Metric(_name(log), float(value), now, epoch)
            for log, values in by_epoch(run).items()
            for epoch, value in zip(run.epoch, values, strict=False)
        ]
        last = run.epoch[-1] if run.epoch else 0
        metrics += [Metric(_name(score), value, now, last) for score, value in at_the_end(run).items()]
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(own, metrics=metrics[start : start + AT_ONCE])
        if self._models == "all":
            self._keep_model(run, own)
        self._client.set_terminated(own, end_time=now)

    def _tell(self, document: Document) -> None:
        verdicts = document.comparison.verdicts
        said = {} if verdicts is None else {own.recipe: own for own in verdicts.verdicts}
        tags = {f"kohort.verdict.{_name(recipe)}": own.words() for recipe, own in said.items()}
        tags |= {"kohort.lead": document.lead, "mlflow.note.content": verdicts_of(document)}
        for start in range(0, len(tags), 100):
            self._client.log_batch(self._parent, tags=_tags(dict(list(tags.items())[start : start + 100])))
        self._client.log_text(self._parent, page(document), "report.html")

    def _keep_best(self, best: Run) -> None:
        key = run_key(best, self._identity)
        if key != self._kept and self._keep_model(best, self._parent):
            told = {"kohort.model": key, "kohort.model.recipe": best.recipe, "kohort.model.seed": best.seed}
            self._client.log_batch(self._parent, tags=_tags(told))

    def _keep_model(self, run: Run, to: str) -> bool:
        """Keeps a model; whether there was one to keep."""
        try:
            model = run.model()
        except KohortError as error:
            # its weights were not kept, or the study is read from its folder, which has no builders
            warnings.warn(f"MLflow keeps no model of {run.recipe}, seed {run.seed}: {error}", stacklevel=6)
            return False
        versions = [f"{name}=={self._identity.decides[name]}" for name in ("keras", "jax", "numpy")]
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a model has no signature, and what Keras and NumPy say of each other
            kept = Path(folder) / "model"
            import_module("mlflow.keras").save_model(model, str(kept), pip_requirements=versions)
            self._client.log_artifacts(to, str(kept), "model")
        return True


def _is_whole(run: Any) -> bool:
    """Whether a run is one of a study's, and all of it was told."""
    return "kohort.run" in run.data.tags and run.info.status == "FINISHED"


def _name(told: str) -> str:
    """A name that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", told)[:200]


def _params(told: dict[str, Any]) -> Sequence[Param]:
    return [Param(_name(name), str(value)[:6000]) for name, value in told.items()]


def _tags(told: dict[str, Any]) -> Sequence[RunTag]:
    return [RunTag(name, str(value)[:5000]) for name, value in told.items()]


@contextmanager
def _mannered() -> Iterator[None]:
    """Lets MLflow wait and print as `MANNERS` says."""
    own = {name: value for name, value in MANNERS.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)
