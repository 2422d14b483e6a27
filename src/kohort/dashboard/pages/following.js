"use strict";
// What pages that follow a study or a search share. Names are put in as text, never as markup.

window.kohortFollowing = (() => {
  const at = (id) => document.getElementById(id);
  const SECONDS = 4;

  function made(kind, text) {
    const own = document.createElement(kind);
    own.textContent = text ?? "";
    return own;
  }

  function fill(body, lines) {
    body.replaceChildren(...lines.map((line) => {
      const row = document.createElement("tr");
      row.append(...line.map((text) => made("td", text)));
      return row;
    }));
  }

  function list(place, sentences) {
    place.replaceChildren(...sentences.map((sentence) => made("li", sentence)));
  }

  let shownFacts = "";

  function facts(told) {
    const now = JSON.stringify(told);
    if (now !== shownFacts) {
      at("facts").replaceChildren(
        ...Object.entries(told).flatMap(([name, value]) => [made("dt", name), made("dd", value)]));
    }
    shownFacts = now;
  }

  function state(told) {
    at("state").textContent = told.state;
    at("state").dataset.state = told.state;
    at("trouble").hidden = !told.trouble;
    at("trouble").textContent = told.trouble;
  }

  // Drawing takes time from a training on the same cores: every few seconds, and no more than a fiftieth of them.
  function painter(figure, begun) {
    let living = null;
    let waiting = 0;
    let next = 0;

    async function draw(rows, said, signals) {
      figure.querySelector(".chart").setAttribute("aria-label", said);
      if (!rows.length) return 0;
      living ??= begin(rows);
      const view = await living;
      const started = performance.now();
      view.data("rows", rows.map((row) => ({ ...row })));
      for (const [name, value] of Object.entries(signals)) view.signal(name, value);
      await view.runAsync();
      window.kohortSaidOnce(figure.querySelector(".living"));
      document.documentElement.dataset.drawn = String(rows.length);
      return performance.now() - started;
    }

    async function begin(rows) {
      const asked = await fetch(figure.dataset.chart);
      const spec = { ...(await asked.json()), datasets: { rows: rows.map((row) => ({ ...row })) } };
      const place = figure.querySelector(".living");
      const { view } = await window.vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: true });
      await begun(view);
      return view;
    }

    return (now, what) => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        let took = 0;
        try {
          took = await draw(...what());
        } catch (error) {
          console.error(error);
        }
        next = performance.now() + Math.max(SECONDS * 1000, 50 * took);
      }, now ? 0 : Math.max(0, next - performance.now()));
    };
  }

  // Between what most values lie, with some room.
  function room(lowest, highest) {
    const some = 0.05 * (highest - lowest) || 1e-3;
    return { floor: lowest - some, ceiling: highest + some };
  }

  function follow(show) {
    const events = new EventSource(`${location.pathname.replace(/\/$/, "")}/events`);
    events.onmessage = ({ data }) => show(JSON.parse(data));
    events.addEventListener("gone", () => {
      at("state").textContent = "gone";
      events.close();
    });
    addEventListener("pagehide", () => events.close());
  }

  return { at, made, fill, list, facts, state, painter, room, follow };
})();
