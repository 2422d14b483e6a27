"use strict";
// Keeps the lists of studies and searches as they are now. Names are put in as text, never as markup.
{
  const cell = (text, name) => {
    const made = document.createElement("td");
    made.textContent = text ?? "";
    if (name) made.className = name;
    return made;
  };

  function line(kind, own, values) {
    const row = document.createElement("tr");
    const first = cell("");
    const link = document.createElement("a");
    link.href = `/${kind}/${encodeURIComponent(own.key)}`;
    link.textContent = own.place;
    first.append(link);
    if (own.lead) {
      const lead = document.createElement("p");
      lead.className = "soft";
      lead.textContent = own.lead;
      first.append(lead);
    }
    const state = cell(own.state, "state");
    state.dataset.state = own.state;
    row.append(first, state, cell(own.data, "name"), ...values.map((value) => cell(value)));
    return row;
  }

  function fill(body, rows) {
    const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    body.replaceChildren(...rows);
    if (focused) body.querySelector(`a[href="${focused}"]`)?.focus(); // who goes by keyboard stays where they were
  }

  const events = new EventSource("/events");
  events.onmessage = ({ data }) => {
    const { studies, searches } = JSON.parse(data);
    fill(document.querySelector("#studies tbody"), studies.map((own) =>
      line("study", own, [own.recipes, own.seeds, own.runs, own.ended])));
    fill(document.querySelector("#searches tbody"), searches.map((own) =>
      line("search", own, [own.candidates, own.best])));
    document.getElementById("searches").hidden = searches.length === 0;
    document.getElementById("none").hidden = studies.length + searches.length > 0;
  };
  addEventListener("pagehide", () => events.close());
}
