"use strict";
// What all pages with charts share: a figure's words are said once, and recipes are hidden and shown in all charts.

window.kohortSaidOnce = (living) => {
  for (const drawn of living.querySelectorAll("[role], [aria-label], [aria-roledescription]")) {
    drawn.removeAttribute("role"); // the figure says in words what it shows
    drawn.removeAttribute("aria-label");
    drawn.removeAttribute("aria-roledescription");
  }
};

window.kohortToggles = (views) => {
  const bar = document.querySelector(".toggles");
  const buttons = [...document.querySelectorAll("button[data-recipe]")];
  const hidden = () => buttons.filter((one) => one.getAttribute("aria-pressed") !== "true").map((one) => one.dataset.recipe);

  async function show(view) {
    view.signal("hidden", hidden());
    await view.runAsync();
  }

  async function showAll() {
    await Promise.all(views().map(show));
    document.documentElement.dataset.shown = String(buttons.length - hidden().length);
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
      showAll();
    });
  }
  for (const [id, pressed] of [["show-all", "true"], ["show-none", "false"]]) {
    document.getElementById(id)?.addEventListener("click", () => {
      for (const button of buttons) button.setAttribute("aria-pressed", pressed);
      showAll();
    });
  }
  if (bar) bar.hidden = false;
  return { hidden, show };
};
