"""How the runs of a study were made, in words."""

from collections.abc import Mapping, Sequence

from kohort.run import Runs


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
    seeds: str,
    metric: str,
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
        seeds: The seeds.
        metric: What runs were judged by.
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
        "network": network,
        "training": f"{epochs} epochs, batch size {batch_size}",
        "recipes": ", ".join(recipes),
        "seeds": seeds,
        "metric": metric,
        "programs": f"{len(runs.cohorts)} for {len(runs)} runs: {together}",
        **when,
        "versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
        "devices": devices,
    }
