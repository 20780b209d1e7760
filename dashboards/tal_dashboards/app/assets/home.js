// The address of the comparison, from the boxes that are ticked.
window.dash_clientside = Object.assign({}, window.dash_clientside, {front: {
  compare: (ticked) => {
    const studies = ticked.flat().filter((name) => name);
    return studies.length ? `/compare?studies=${studies.map(encodeURIComponent).join(",")}` : "/compare";
  },
}});

// A box to tick is a box to assistive technology too, where Dash calls its label an option of a list.
const unlist = () => {
  for (const part of document.querySelectorAll(".pick[role], .pick [role=option], .pick [role=listbox]"))
    for (const name of ["role", "aria-selected", "aria-multiselectable", "tabindex"]) part.removeAttribute(name);
};
new MutationObserver(unlist).observe(document.documentElement, { childList: true, subtree: true });
