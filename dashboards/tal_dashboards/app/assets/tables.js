{
  // The head of a column and the buttons that turn pages choose by their value, as the controls of a page do.
  let pressed = null;
  const chooser = (part) => part.closest?.("button[data-chooses]");
  document.addEventListener("click", ({ target }) => {
    const button = chooser(target);
    if (!button) return;
    const name = button.dataset.chooses;
    pressed = { name, words: button.textContent, left: button.closest(".grid").querySelector(".table").scrollLeft };
    window.dash_clientside.set_props({ type: "selection", name }, { value: button.value });
  });
  // Dash draws the table anew, buttons and all: the focus goes back to the one that was pressed (or where it has reached
  // the last page, to one beside it), and the table to where it was scrolled.
  document.addEventListener("focusin", ({ target }) => {
    if (pressed && chooser(target)?.dataset.chooses !== pressed.name) pressed = null;
  });
  new MutationObserver(() => {
    if (!pressed || document.activeElement !== document.body) return;
    const buttons = [...document.querySelectorAll("button[data-chooses]:enabled")].filter((one) => one.dataset.chooses === pressed.name);
    const again = buttons.find((one) => one.textContent === pressed.words) ?? buttons[0];
    if (!again) return;
    again.focus({ preventScroll: true });
    again.closest(".grid").querySelector(".table").scrollLeft = pressed.left;
  }).observe(document.documentElement, { childList: true, subtree: true });
}
