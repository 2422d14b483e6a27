"use strict";
// Keeps a search's page as the search is now.
{
  const { at, made, fill, list, facts, state, painter, room, follow } = window.kohortFollowing;
  const paint = painter(document.querySelector("figure[data-chart]"), async () => {});
  let points = [];
  let wantedLow = false;

  function show(told) {
    state(told);
    if (!told.points) return;
    at("lead").textContent = told.lead;
    list(at("counts"), told.counts);
    fill(document.querySelector("#best tbody"), told.best);
    at("unjudged").hidden = told.judged.length > 0;
    at("judged").replaceChildren(...told.judged.map((study) => {
      const item = document.createElement("li");
      const link = made("a", study.what);
      link.href = `/study/${encodeURIComponent(study.key)}`;
      item.append(link, made("span", study.lead && `: ${study.lead}`));
      return item;
    }));
    facts(told.facts);
    points = told.points;
    wantedLow = told.wanted_low;
    paint(told.state !== "searching", drawing);
    document.documentElement.dataset.version = told.version;
  }

  function drawing() {
    const scores = points.map((row) => row.score).sort((one, other) => one - other);
    const worst = Math.floor(scores.length / 10); // these may be far away and would flatten the rest
    const ends = wantedLow
      ? room(scores[0], scores[scores.length - 1 - worst])
      : room(scores[worst], scores[scores.length - 1]);
    return [points, `Scores of candidates. ${at("lead").textContent} ${at("counts").textContent}`, ends];
  }

  follow(show);
}
