"use strict";
// Puts living charts in the place of drawn ones as they come into view.
{
  const packed = Uint8Array.from(atob(document.getElementById("specs").textContent), (sign) => sign.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const specs = new Response(unpacked).json();
  const views = new Map();
  const isOverlaid = (figure) => figure.dataset.overlaid === "yes";
  const toggles = window.kohortToggles(() => [...views].filter(([figure]) => isOverlaid(figure)).map(([, view]) => view));

  async function bringToLife(figure) {
    const place = figure.querySelector(".chart");
    const living = document.createElement("div");
    living.className = "living";
    place.append(living);
    try {
      const spec = (await specs)[figure.dataset.chart];
      const { view } = await window.vegaEmbed(living, spec, { renderer: "svg", actions: false, ast: true });
      views.set(figure, view);
      window.kohortSaidOnce(living);
      place.querySelector(":scope > svg")?.remove();
      if (isOverlaid(figure)) await toggles.show(view);
    } catch (error) {
      living.remove(); // the drawn chart stays
      console.error(error);
    }
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      bringToLife(entry.target);
    }
  }, { rootMargin: "200px" });
  for (const figure of document.querySelectorAll("figure[data-chart]")) seen.observe(figure);
}
