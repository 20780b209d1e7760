// A note that differs from what was saved is marked, so that its button stands out.
window.dash_clientside = Object.assign({}, window.dash_clientside, {notes: {
  mark: (typed, seen) => ((typed ?? "").trim() === (seen ?? "").trim() ? "note" : "note unsaved"),
}});
