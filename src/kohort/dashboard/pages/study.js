"use strict";
// Keeps a study's page as the study is now. Names are put in as text, never as markup.
{
  const at = (id) => document.getElementById(id);
  const figure = document.querySelector("figure[data-chart]");
  let view = null;
  let living = null;
  let rows = [];
  const SECONDS = 4;
  let waiting = 0;
  let next = 0;
  const toggles = window.kohortToggles(() => (view ? [view] : []));

  function fill(body, lines) {
    body.replaceChildren(...lines.map((line) => {
      const row = document.createElement("tr");
      row.append(...line.map((text) => {
        const cell = document.createElement("td");
        cell.textContent = text ?? "";
        return cell;
      }));
      return row;
    }));
  }

  function list(place, sentences) {
    place.replaceChildren(...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }));
  }

  let shownFacts = "";

  function showFacts(facts) {
    at("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
      const term = document.createElement("dt");
      const meaning = document.createElement("dd");
      term.textContent = name;
      meaning.textContent = value;
      return [term, meaning];
    }));
  }

  const minutes = (seconds) =>
    seconds < 90 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;

  function show(told) {
    at("state").textContent = told.state;
    at("state").dataset.state = told.state;
    at("trouble").hidden = !told.trouble;
    at("trouble").textContent = told.trouble;
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
    const facts = JSON.stringify(told.facts);
    if (facts !== shownFacts) showFacts(told.facts);
    shownFacts = facts;
    rows = told.curves;
    drawSoon(told.state !== "training");
    document.documentElement.dataset.version = told.version;
  }

  // Drawing takes time from a training on the same cores: every few seconds, and no more than a fiftieth of them.
  function drawSoon(now) {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      let took = 0;
      try {
        took = await draw();
      } catch (error) {
        console.error(error);
      }
      next = performance.now() + Math.max(SECONDS * 1000, 50 * took);
    }, now ? 0 : Math.max(0, next - performance.now()));
  }

  async function draw() {
    const last = new Map(rows.map((row) => [`${row.recipe} ${row.part}`, row]));
    const said = [...last].map(([name, row]) => `${name}: ${row.mean} after epoch ${row.epoch}`).join("; ");
    figure.querySelector(".chart").setAttribute("aria-label", `Learning curves. ${said}`);
    if (!rows.length) return 0;
    living ??= begin();
    const view = await living;
    const started = performance.now();
    view.data("rows", rows.map((row) => ({ ...row })));
    // what was before a tenth of the epochs is far away and would flatten the rest
    const length = Math.max(...rows.map((row) => row.epoch));
    const settled = length / 10;
    const late = rows.filter((row) => row.epoch > settled && row.low !== null && row.high !== null);
    const floor = Math.min(...late.map((row) => row.low));
    const ceiling = Math.max(...late.map((row) => row.high));
    const room = 0.05 * (ceiling - floor) || 1e-3;
    view.signal("floor", floor - room).signal("ceiling", ceiling + room).signal("every", Math.ceil(length / 25));
    await view.runAsync();
    window.kohortSaidOnce(figure.querySelector(".living"));
    document.documentElement.dataset.drawn = String(rows.length);
    return performance.now() - started;
  }

  async function begin() {
    const asked = await fetch(figure.dataset.chart);
    const spec = { ...(await asked.json()), datasets: { rows: rows.map((row) => ({ ...row })) } };
    const place = figure.querySelector(".living");
    view = (await window.vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: true })).view;
    await toggles.show(view);
    return view;
  }

  const events = new EventSource(`${location.pathname.replace(/\/$/, "")}/events`);
  events.onmessage = ({ data }) => show(JSON.parse(data));
  events.addEventListener("gone", () => {
    at("state").textContent = "gone";
    events.close();
  });
  addEventListener("pagehide", () => events.close());
}
