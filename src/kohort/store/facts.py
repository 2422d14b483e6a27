"""How the runs of a study were made, in words."""

from collections.abc import Iterable, Mapping, Sequence

from kohort.run import Failure, Runs


def together_in_words(failures: Iterable[Failure]) -> list[str]:
    """Failures in words, those of a recipe together that have one kind and cause.

    >>> together_in_words([Failure("l1", 0, "diverged", epoch=3), Failure("l1", 4, "diverged", epoch=5)])
    ['l1 diverged under seeds 0, 4']
    """
    seeds: dict[tuple[str, str, str], list[str]] = {}
    for own in failures:
        seeds.setdefault((own.recipe, own.kind, own.cause), []).append(str(own.seed))
    return [
        f"{recipe} {kind} under seed{'s' * (len(own) > 1)} {', '.join(own)}{f': {cause}' if cause else ''}"
        for (recipe, kind, cause), own in seeds.items()
    ]


def facts_of(
    runs: Runs[tuple[str, int]],
    *,
    data: tuple[str, str, str],
    rows: Sequence[int],
    cut: str,
    remarks: Sequence[str],
    network: str,
    epochs: object,
    batch_size: object,
    recipes: Sequence[str],
    texts: Mapping[str, str],
    own_training: Mapping[str, str],
    seeds: str,
    metric: str,
    failures: Sequence[Failure],
    when: Mapping[str, str],
    versions: Mapping[str, str],
    devices: str,
) -> dict[str, str]:
    """How runs were made: name -> value, for a reader.

    Args:
        runs: The runs.
        data: The data's name, source and fingerprint.
        rows: Rows for training, validation and test.
        cut: How the rows were cut.
        remarks: What was found in the data, in sentences.
        network: What recipes were applied to.
        epochs: Passes over the training rows.
        batch_size: Rows of a batch.
        recipes: The recipes' names.
        texts: Recipe -> what was written of it, where it is called otherwise.
        own_training: Recipe -> its own epochs and batch size in words, where it has any.
        seeds: The seeds.
        metric: What runs were judged by.
        failures: The runs that gave no usable network.
        when: When they were made or how long it took: name -> value.
        versions: Package -> version.
        devices: What they were trained on.
    """
    name, source, fingerprint = data
    train, validation, test = rows
    together = "; ".join(" + ".join(names) for names in runs.cohorts)
    return {
        "data": f"{name}: {source}",
        "fingerprint": f"SHA-256 {fingerprint}",
        "rows": f"{train} train, {validation} validate, {test} test; {cut}",
        **({"found in the data": " ".join(remarks)} if remarks else {}),
        "network": f"{network}{', where a recipe says nothing else' if texts else ''}",
        "training": "; ".join(
            [
                f"{epochs} epochs, batch size {batch_size}{' where not said otherwise' if own_training else ''}",
                *(f"{recipe}: {own}" for recipe, own in own_training.items()),
            ]
        ),
        "recipes": "; ".join(f"{own}: {texts[own]}" if own in texts else own for own in recipes)
        if texts
        else ", ".join(recipes),
        "seeds": seeds,
        "metric": metric,
        "programs": f"{len(runs.cohorts)} for {len(runs)} runs: {together}",
        **({"failed": "; ".join(together_in_words(failures))} if failures else {}),
        **when,
        "versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
        "devices": devices,
    }
