// Figures wait for the script of Plotly that the page began to load, where Dash would have them load it once more.
const plotly = document.querySelector("script[src$='plotly.min.js']");
if (plotly) window.Plotly ??= new Promise((loaded) => plotly.addEventListener("load", loaded));

// What Dash's own controls lack for the keyboard and for assistive technology: a slider is called by its label, and a
// list by its label and its value. The list itself takes the focus, where Dash has a hidden field take it first.
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

// On paper a figure is as wide as the page: drawn in pixels of the screen, it needs a box that it can be scaled by. A tall
// one is drawn anew, as wide as lets it fill an upright page, or its words would be too small to read.
const UPRIGHT = [703, 907]; // pixels of such a page, its caption left out
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
