// Builds the address of the comparison from the ticked checkboxes.
window.dash_clientside = Object.assign({}, window.dash_clientside, {front: {
  compare: (ticked) => {
    const studies = ticked.flat().filter((name) => name), { pathname } = document.getElementById("front-compare");
    return studies.length ? `${pathname}?studies=${studies.map(encodeURIComponent).join(",")}` : pathname;
  },
}});

// Screen readers should announce checkboxes, but Dash marks their labels as options of a list.
const unlist = () => {
  for (const part of document.querySelectorAll(".pick[role], .pick [role=option], .pick [role=listbox]"))
    for (const name of ["role", "aria-selected", "aria-multiselectable", "tabindex"]) part.removeAttribute(name);
};
new MutationObserver(unlist).observe(document.documentElement, { childList: true, subtree: true });
