// Figures wait for the Plotly script that the page already loads; Dash would load it a second time.
const plotly = document.querySelector("script[src$='plotly.min.js']");
if (plotly) window.Plotly ??= new Promise((loaded) => plotly.addEventListener("load", loaded));

// Accessibility fixes for Dash's controls: sliders are named by their label, dropdowns by label and value. Dropdowns
// take the focus themselves; in Dash, a hidden input takes it first.
const mend = () => {
  for (const label of document.querySelectorAll("label.chosen")) {
    const words = label.querySelector(":scope > span");
    for (const slider of label.querySelectorAll("[role=slider]")) slider.setAttribute("aria-label", words.textContent);
    const hidden = label.querySelector("input[aria-hidden=true][tabindex='0']");
    const list = label.querySelector("button[aria-haspopup=listbox]");
    if (!hidden || !list) continue;
    hidden.tabIndex = -1;
    list.tabIndex = 0;
    words.id = `${list.id}-label`;
    list.setAttribute("aria-labelledby", `${words.id} ${list.id}-value`);
  }
  const opened = document.querySelectorAll(".dash-dropdown-content, .dash-dropdown-content [role=listbox]");
  for (const part of opened) part.setAttribute("aria-label", "choices");
};
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });

// In print, figures are scaled to the width of the page, which needs a viewBox. A tall figure is redrawn with the width
// that fills a page in portrait, as its text would otherwise be too small to read.
const UPRIGHT = [703, 907]; // pixels of such a page without the caption
matchMedia("print").addEventListener("change", ({ matches }) => {
  for (const plot of document.querySelectorAll(".tall .js-plotly-plot")) {
    const width = Math.max(UPRIGHT[0], Math.round((plot._fullLayout.height * UPRIGHT[0]) / UPRIGHT[1]));
    Plotly.relayout(plot, matches ? { width } : { width: null, autosize: true });
  }
  for (const drawing of document.querySelectorAll(".main-svg")) {
    const [width, height] = ["width", "height"].map((name) => drawing.getAttribute(name));
    if (matches) drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    else drawing.removeAttribute("viewBox");
  }
});
