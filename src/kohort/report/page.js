"use strict";
// Puts living charts in the place of drawn ones as they come into view, and lets a reader hide recipes in all of them.
{
  const packed = Uint8Array.from(atob(document.getElementById("specs").textContent), (sign) => sign.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const specs = new Response(unpacked).json();
  const buttons = [...document.querySelectorAll("button[data-recipe]")];
  const views = new Map();
  const names = () => buttons.filter((one) => one.getAttribute("aria-pressed") !== "true").map((one) => one.dataset.recipe);

  async function bringToLife(figure) {
    const spec = (await specs)[figure.dataset.chart];
    const place = figure.querySelector(".chart");
    const living = document.createElement("div");
    living.className = "living";
    place.append(living);
    const given = structuredClone(spec);
    for (const one of given.params ?? []) if (one.name === "hidden") one.value = names();
    const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true };
    try {
      const { view } = await window.vegaEmbed(living, given, options);
      views.set(figure, view);
      for (const drawn of living.querySelectorAll("[role], [aria-label]")) {
        drawn.removeAttribute("role"); // the figure says in words what it shows
        drawn.removeAttribute("aria-label");
        drawn.removeAttribute("aria-roledescription");
      }
      place.querySelector(":scope > svg")?.remove();
      if (figure.dataset.overlaid === "yes") await show(view);
    } catch (error) {
      living.remove(); // the drawn chart stays
      console.error(error);
    }
  }

  async function show(view) {
    view.signal("hidden", names());
    await view.runAsync();
  }

  function overlaid() {
    return [...views].filter(([figure]) => figure.dataset.overlaid === "yes").map(([, view]) => view);
  }

  for (const button of buttons) {
    button.addEventListener("click", async () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
      await Promise.all(overlaid().map(show));
      document.documentElement.dataset.shown = String(buttons.length - names().length);
    });
  }
  for (const [id, pressed] of [["show-all", "true"], ["show-none", "false"]]) {
    document.getElementById(id)?.addEventListener("click", async () => {
      for (const button of buttons) button.setAttribute("aria-pressed", pressed);
      await Promise.all(overlaid().map(show));
      document.documentElement.dataset.shown = String(buttons.length - names().length);
    });
  }
  for (const bar of document.querySelectorAll(".toggles")) bar.hidden = false;

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      bringToLife(entry.target);
    }
  }, { rootMargin: "200px" });
  for (const figure of document.querySelectorAll("figure[data-chart]")) seen.observe(figure);
}
