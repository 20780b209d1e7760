// Marks unsaved notes, so that their button stands out.
window.dash_clientside = Object.assign({}, window.dash_clientside, {notes: {
  mark: (typed, seen) => ((typed ?? "").trim() === (seen ?? "").trim() ? "note" : "note unsaved"),
}});
