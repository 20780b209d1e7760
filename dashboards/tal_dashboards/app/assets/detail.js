// Side panel with a trial: it takes the focus when it opens and returns it when it closes; Escape closes it; the part
// of the page that the user looked at keeps its place on the screen.
const besides = () => document.getElementById("trial-panel");
const viewOf = (search) => new URLSearchParams(search).get("view");
let opener = null, place = null, before = null, wasOpen = false, inside = false;

const remember = (node) => {
  place = node && { node, top: node.getBoundingClientRect().top };
};
const began = ({ target, key }) => {
  inside = Boolean(besides()?.contains(target));
  if (inside || key === "Escape") return remember(document.querySelector("main")?.firstElementChild);
  opener = target.closest("a, button, [tabindex]");
  remember(target.closest("figure, tr, p") ?? target);
};
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, began, true);

document.addEventListener("keydown", (event) => {
  const list = document.querySelector(".dash-dropdown-content"); // an open list closes first
  if (event.key === "Escape" && !event.defaultPrevented && !list) document.getElementById("trial-close")?.click();
});

// Links of Dash scroll to the top, which is wanted only when the view changes.
document.addEventListener("click", () => { before = { view: viewOf(location.search), y: scrollY }; }, true);
document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("a[href*='trial=']");
  if (link && viewOf(link.search) === before.view) scrollTo(0, before.y);
});

new MutationObserver(() => {
  const panel = besides(), open = Boolean(panel?.firstElementChild);
  const lost = open && inside && document.activeElement === document.body; // a link in the panel opened another trial
  if (lost) panel.querySelector("h2")?.focus({ preventScroll: true });
  if (open === wasOpen) return;
  wasOpen = open;
  if (place?.node.isConnected) scrollBy(0, place.node.getBoundingClientRect().top - place.top);
  if (!place) return; // the page was loaded with an open panel
  if (open) panel.querySelector("h2")?.focus({ preventScroll: true });
  else (opener?.isConnected ? opener : document.querySelector("main"))?.focus({ preventScroll: true });
}).observe(document.documentElement, { childList: true, subtree: true });
