"use strict";
// Keeps the list of studies as it is now. Names are put in as text, never as markup.
{
  const body = document.querySelector("#studies tbody");
  const cell = (text, name) => {
    const made = document.createElement("td");
    made.textContent = text ?? "";
    if (name) made.className = name;
    return made;
  };
  const events = new EventSource("/events");
  events.onmessage = ({ data }) => {
    const rows = JSON.parse(data).map((study) => {
      const row = document.createElement("tr");
      const first = cell("");
      const link = document.createElement("a");
      link.href = `/study/${encodeURIComponent(study.key)}`;
      link.textContent = study.place;
      first.append(link);
      if (study.lead) {
        const lead = document.createElement("p");
        lead.className = "soft";
        lead.textContent = study.lead;
        first.append(lead);
      }
      const state = cell(study.state, "state");
      state.dataset.state = study.state;
      row.append(first, state, cell(study.data, "name"));
      row.append(...[study.recipes, study.seeds, study.runs, study.ended].map((value) => cell(value)));
      return row;
    });
    const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    body.replaceChildren(...rows);
    if (focused) body.querySelector(`a[href="${focused}"]`)?.focus(); // who goes by keyboard stays where they were
    document.getElementById("none").hidden = rows.length > 0;
  };
  addEventListener("pagehide", () => events.close());
}
