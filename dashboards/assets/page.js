// Figures wait for the script of Plotly that the page began to load, where Dash would have them load it once more.
window.Plotly ??= new Promise((loaded) => {
  document.querySelector("script[src$='plotly.min.js']").addEventListener("load", loaded);
});

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

// On paper a figure is as wide as the page: drawn in pixels of the screen, it needs a box that it can be scaled by.
matchMedia("print").addEventListener("change", ({ matches }) => {
  for (const drawing of document.querySelectorAll(".main-svg")) {
    const [width, height] = ["width", "height"].map((name) => drawing.getAttribute(name));
    if (matches) drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    else drawing.removeAttribute("viewBox");
  }
});
