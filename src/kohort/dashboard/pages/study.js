"use strict";
// Keeps a study's page as the study is now.
{
  const { at, fill, list, facts, state, painter, room, follow } = window.kohortFollowing;
  let view = null;
  let rows = [];
  const toggles = window.kohortToggles(() => (view ? [view] : []));
  const paint = painter(document.querySelector("figure[data-chart]"), async (begun) => {
    view = begun;
    await toggles.show(view);
  });

  const minutes = (seconds) =>
    seconds < 90 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;

  function show(told) {
    state(told);
    if (!told.recipes) return;
    at("lead").textContent = told.lead;
    at("report").hidden = !told.lead;
    at("note").textContent = told.note;
    list(at("verdicts"), told.verdicts);
    const progress = told.progress;
    at("training").hidden = !progress;
    if (progress) {
      at("doing").textContent = progress.doing;
      at("bar").max = Math.max(1, progress.total);
      at("bar").value = progress.done;
      const left = progress.left === null ? "" : `, about ${minutes(progress.left)} left`;
      at("pace").textContent =
        `${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")} run-epochs in ${minutes(progress.seconds)}${left}`;
      fill(document.querySelector("#cohorts tbody"), told.cohorts.map((one) =>
        [one.recipes, one.members, one.epoch, one.running, one.diverged || "", one.best]));
    }
    fill(document.querySelector("#recipes tbody"), told.recipes.map((one) =>
      [one.recipe, one.runs, one.diverged || "", one.mean, one.improvement, one.verdict]));
    at("failed").hidden = told.failures.length === 0;
    list(at("failures"), told.failures);
    facts(told.facts);
    rows = told.curves;
    paint(told.state !== "training", drawing);
    document.documentElement.dataset.version = told.version;
  }

  function drawing() {
    const last = new Map(rows.map((row) => [`${row.recipe} ${row.part}`, row]));
    const said = [...last].map(([name, row]) => `${name}: ${row.mean} after epoch ${row.epoch}`).join("; ");
    // what was before a tenth of the epochs is far away and would flatten the rest
    const length = Math.max(...rows.map((row) => row.epoch));
    const late = rows.filter((row) => row.epoch > length / 10 && row.low !== null && row.high !== null);
    const ends = room(Math.min(...late.map((row) => row.low)), Math.max(...late.map((row) => row.high)));
    return [rows, `Learning curves. ${said}`, { ...ends, every: Math.ceil(length / 25) }];
  }

  follow(show);
}
